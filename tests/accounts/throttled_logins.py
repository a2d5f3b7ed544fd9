"""Logs in from different addresses, and checks the responses of the throttle."""

from datetime import UTC, datetime
from typing import Any

from django.test import Client

from accounts.models import User
from blogsite.http.throttling import MEMORY
from tests.client import Api, assert_problem

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
FREE = 10
OWNERS, OTHER = "192.0.2.1", "198.51.100.7"


def api_at(address: str, user: User | None = None) -> Api:
    """The API, called from an address."""
    return Api(Client(raise_request_exception=False, REMOTE_ADDR=address), user)


def log_in(api: Api, password: str, username: str = "ines") -> Any:
    return api.post("/auth/login", {"username": username, "password": password})


def assert_limited(response: Any, seconds: int, action: str = "login") -> None:
    """Asserts that the response is a 429 and that its headers and its detail give this wait."""
    assert_problem(response, 429, "too_many_requests")
    assert response["Retry-After"] == str(seconds)
    assert response["RateLimit"] == f'"{action}";r=0;t={seconds}'
    assert response["RateLimit-Policy"] == f'"{action}";q={FREE};w={MEMORY}'
    assert f"{seconds} second" in response.json()["detail"]
