"""Calls ASGI applications as a server does."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from asgiref.sync import async_to_sync

from blogsite.serving.asgi import App, Message, Receive, Scope, Send


@dataclass
class Response:
    """The response that an application sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def make_scope(method: str = "GET", path: str = "/", headers: Iterable[tuple[str, str]] = ()) -> Scope:
    """Return the scope of a request, as uvicorn creates it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }


def call(app: App, scope: Scope, messages: Iterable[Message] = ()) -> Response:
    """Call `app` once. It receives `messages`, and then the message that the client has disconnected."""
    return async_to_sync(acall)(app, scope, messages)


async def acall(app: App, scope: Scope, messages: Iterable[Message] = ()) -> Response:
    """Do the same as `call` on the running event loop."""
    waiting = iter(messages)
    response = Response()

    async def receive() -> Message:
        return next(waiting, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            response.status = message["status"]
            response.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            response.body += message.get("body", b"")

    await app(scope, receive, send)
    return response


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the first part of the body, and with the request id that it saw as the header `seen`."""
    message = await receive()
    seen = [(b"seen", value) for name, value in scope["headers"] if name == b"x-request-id"]
    await send({"type": "http.response.start", "status": 200, "headers": seen})
    await send({"type": "http.response.body", "body": message.get("body", b"")})
