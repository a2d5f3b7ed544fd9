"""Measures Blogsite beside its peers in one run: `python -m tests.benchmarks --help`. Never part of the test run."""
