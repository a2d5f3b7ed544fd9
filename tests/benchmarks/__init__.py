"""Measures Blogsite and comparable servers in one run: `python -m tests.benchmarks --help`. Not part of the tests.

The package is flat: each module is one step of a run, and `__main__` calls the steps in order.
"""
