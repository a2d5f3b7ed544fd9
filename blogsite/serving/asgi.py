"""The ASGI layers, one file each. `blogsite.asgi` puts them in order."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from blogsite.errors import BlogError
from blogsite.http import problems

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application: https://asgi.readthedocs.io/en/stable/specs/www.html."""

Headers = list[tuple[bytes, bytes]]

REQUEST_ID = b"x-request-id"
START = "http.response.start"


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """The request's headers by their names, in lower case. Made once a request, and kept in the scope."""
    headers: dict[bytes, bytes] | None = scope.get("blogsite.headers")
    if headers is None:
        headers = scope["blogsite.headers"] = dict(scope["headers"])
    return headers


async def answer(send: Send, status: int, headers: Headers, body: bytes = b"") -> None:
    """Send a whole answer."""
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": START, "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def refuse(scope: Scope, send: Send, error: BlogError, *added: tuple[bytes, bytes]) -> None:
    """Send the problem that `error` is, with the headers that are `added`."""
    request_id = headers_of(scope).get(REQUEST_ID, b"").decode("ascii", "replace")
    headers = [(name.lower().encode(), value.encode()) for name, value in problems.headers(error).items()]
    await answer(send, error.status, [*headers, *added], problems.body(error, request_id))
