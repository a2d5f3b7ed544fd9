"""The tests mirror the source tree; in this folder are the suites across all apps, and what all tests share."""
