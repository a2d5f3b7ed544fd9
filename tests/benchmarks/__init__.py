"""Measures Blogsite and comparable servers in one run: `python -m tests.benchmarks --help`. Not part of the tests."""
