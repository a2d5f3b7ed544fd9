"""What all tests share."""

import logging
from collections.abc import Callable

import pytest
from django.test import Client

from blogsite.http.throttling import ProcessThrottle, throttle
from tests.client import Api

logging.getLogger("httpx").setLevel(logging.WARNING)


@pytest.fixture(autouse=True)
def forget_failures() -> Callable[[], None]:
    """No test has to wait for the failures of another. A test that calls it forgets its own, too."""
    assert isinstance(throttle, ProcessThrottle)
    throttle.clear()
    return throttle.clear


@pytest.fixture
def api(client: Client, db: None) -> Api:
    """The API, asked by nobody known; `api.acting_as(user)` asks as somebody. Server errors are answers, not raised."""
    client.raise_request_exception = False
    return Api(client)
