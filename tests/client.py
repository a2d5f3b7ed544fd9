"""A client of the API for tests, and assertions about its responses."""

import json
from datetime import timedelta
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts.credentials import sessions
from accounts.models import User

ROOT = "/api/v1"


def access_token(user: User) -> str:
    """Start a session of `user`, and return its access token."""
    return sessions.start(user).access_token


class Api:
    """Sends requests to the mounted API, with an access token of a user or without a token.

    Paths are below `/api/v1`, and further keyword arguments are request headers.
    """

    def __init__(self, client: Client, user: User | None = None) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {access_token(user)}"} if user else {}

    def acting_as(self, user: User) -> "Api":
        """Return the same API with an access token of `user`."""
        return Api(self._client, user)

    def get(self, path: str, query: Any = None, **headers: str) -> Any:
        return self._client.get(ROOT + path, query, headers={**self._headers, **headers})

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("POST", path, body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        return self.send("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.send("DELETE", path, **headers)

    def upload(self, content: bytes, name: str = "image.png", *, headers: Any = None, **fields: str) -> Any:
        """Upload a file to `/media` as a multipart form. `fields` are the other fields of the form."""
        file = SimpleUploadedFile(name, content)
        return self.send_form("/media", {"file": file, **fields}, **(headers or {}))

    def send_form(self, path: str, fields: dict[str, Any], **headers: str) -> Any:
        """POST a multipart form. A field with a list of values is sent once for each value."""
        return self._client.post(ROOT + path, fields, headers={**self._headers, **headers})

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request with any method. `body` is sent as JSON, except that bytes are sent unchanged."""
        return self._client.generic(
            method,
            ROOT + path,
            body if isinstance(body, bytes) else b"" if body is None else _json(body),
            content_type="application/json",
            headers={**self._headers, **headers},
        )


def _json(body: Any) -> bytes:
    return json.dumps(body).encode()  # writes a lone surrogate as \\ud800, which orjson refuses


def assert_problem(response: HttpResponse, status: int, code: str, *pointers: str) -> None:
    """Assert that the response is a problem with this status and code, and with one field error for each pointer."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    assert response["Cache-Control"] == "no-store"
    problem = json.loads(response.content)
    assert set(problem) == {"type", "title", "status", "detail", "code", "request_id", "errors"}
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["detail"]
    assert sorted(error["pointer"] for error in problem["errors"]) == sorted(pointers)
    assert (response.get("WWW-Authenticate") == "Bearer") == (status == 401)


def is_about_now(text: str) -> bool:
    """Return whether a time in a response is less than a minute away from now."""
    moment = parse_datetime(text)
    return moment is not None and abs(timezone.now() - moment) < timedelta(minutes=1)
