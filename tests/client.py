"""The API as its clients see it."""

import json
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from accounts.credentials import sessions
from accounts.models import User

ROOT = "/api/v1"


def access_token(user: User) -> str:
    """An access token of a new session."""
    return sessions.start(user).access_token


class Api:
    """Sends JSON to the mounted API, as a user or as nobody."""

    def __init__(self, client: Client, user: User | None = None) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {access_token(user)}"} if user else {}

    def acting_as(self, user: User) -> "Api":
        """The same API, with an access token of `user`."""
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
        """Send a file as a form, with other fields of it."""
        file = SimpleUploadedFile(name, content)
        return self._client.post(
            f"{ROOT}/media", {"file": file, **fields}, headers={**self._headers, **(headers or {})}
        )

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send any method. `body` is made JSON, but for bytes, which are sent as they are."""
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
    """The answer is a problem of this status and code, about the fields with these pointers and no others."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    assert response["Cache-Control"] == "no-store"
    problem = json.loads(response.content)
    assert set(problem) == {"type", "title", "status", "detail", "code", "request_id", "errors"}
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["detail"]
    assert sorted(error["pointer"] for error in problem["errors"]) == sorted(pointers)
    assert (response.get("WWW-Authenticate") == "Bearer") == (status == 401)
