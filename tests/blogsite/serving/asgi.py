"""ASGI applications, called as a server calls them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from asgiref.sync import async_to_sync

from blogsite.serving.asgi import App, Message, Receive, Scope, Send


@dataclass
class Answer:
    """What an application sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def scope_of(method: str = "GET", path: str = "/", headers: Iterable[tuple[str, str]] = ()) -> Scope:
    """The scope of a request, as uvicorn makes it."""
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


def ask(app: App, scope: Scope, messages: Iterable[Message] = ()) -> Answer:
    """Call `app` once. `messages` is what it receives; behind the last one the client has gone."""
    return async_to_sync(ask_async)(app, scope, messages)


async def ask_async(app: App, scope: Scope, messages: Iterable[Message] = ()) -> Answer:
    """As `ask`, on a loop that runs already."""
    waiting = iter(messages)
    answer = Answer()

    async def receive() -> Message:
        return next(waiting, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            answer.body += message.get("body", b"")

    await app(scope, receive, send)
    return answer


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the body, and tells which id of the request it saw."""
    message = await receive()
    seen = [(b"seen", value) for name, value in scope["headers"] if name == b"x-request-id"]
    await send({"type": "http.response.start", "status": 200, "headers": seen})
    await send({"type": "http.response.body", "body": message.get("body", b"")})
