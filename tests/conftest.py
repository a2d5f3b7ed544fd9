"""What all tests share."""

import logging

import pytest
from django.test import Client

from tests.client import Api

logging.getLogger("httpx").setLevel(logging.WARNING)


@pytest.fixture
def api(client: Client, db: None) -> Api:
    """The API, asked by nobody known; `api.acting_as(user)` asks as somebody. Server errors are answers, not raised."""
    client.raise_request_exception = False
    return Api(client)
