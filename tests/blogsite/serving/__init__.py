"""The tests of the ASGI layers, one file per layer, and the suites that run against a real server."""
