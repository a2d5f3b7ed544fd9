"""What all ASGI layers share: types, access to the request's headers and route, and sending whole responses."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from blogsite.errors import BlogError
from blogsite.http import problems
from blogsite.http.routes import Route, find_route

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application: https://asgi.readthedocs.io/en/stable/specs/www.html."""

Headers = list[tuple[bytes, bytes]]

REQUEST_ID = b"x-request-id"
START = "http.response.start"
EMPTY_BODY: Message = {"type": "http.response.body", "body": b""}
HEADERS_KEY = "blogsite.headers"
ROUTE_KEY = "blogsite.route"


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Return the request's headers by lower-case name. They are parsed once per request and kept in the scope."""
    headers: dict[bytes, bytes] | None = scope.get(HEADERS_KEY)
    if headers is None:
        headers = scope[HEADERS_KEY] = dict(scope["headers"])
    return headers


def route_of(scope: Scope) -> Route:
    """Return the request's entry in the route table. It is looked up once per request and kept in the scope."""
    route: Route | None = scope.get(ROUTE_KEY)
    if route is None:
        route = scope[ROUTE_KEY] = find_route(scope["path"])
    return route


async def send_response(send: Send, status: int, headers: Headers, body: bytes = b"") -> None:
    """Send a whole response, and add its `Content-Length`."""
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": START, "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def has_etag(if_none_match: bytes, *etags: bytes) -> bool:
    """Return whether the list contains one of `etags`, compared weakly, or is `*` (RFC 9110, 13.1.2)."""
    listed = {tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b",")}
    return b"*" in listed or not listed.isdisjoint(etags)


async def send_problem(scope: Scope, send: Send, error: BlogError, *extra_headers: tuple[bytes, bytes]) -> None:
    """Send `error` as a problem document (RFC 9457), with `extra_headers`."""
    request_id = headers_of(scope).get(REQUEST_ID, b"").decode("ascii", "replace")
    headers = [(name.lower().encode(), value.encode()) for name, value in problems.headers(error).items()]
    await send_response(send, error.status, [*headers, *extra_headers], problems.body(error, request_id))
