"""Fixtures for all tests."""

import logging
from collections.abc import Callable

import pytest
from django.test import Client

from blogsite.http.throttling import ProcessLimiter, limiter
from tests.client import Api

logging.getLogger("httpx").setLevel(logging.WARNING)


@pytest.fixture(autouse=True)
def forget_failures() -> Callable[[], None]:
    """Clear the failure counters before each test. Returns a function that clears them again during the test."""
    assert isinstance(limiter, ProcessLimiter)
    limiter.clear()
    return limiter.clear


@pytest.fixture
def api(client: Client, db: None) -> Api:
    """A client of the API without a token; `api.acting_as(user)` sends one. Server errors are not raised."""
    client.raise_request_exception = False
    return Api(client)
