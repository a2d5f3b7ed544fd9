"""Plain uvicorn that replays the recorded responses of Blogsite from a dictionary: the upper limit of this server."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.benchmarks import responses

_RESPONSES = responses.load(Path(os.environ["BLOG_DATA_DIR"]))
_NOT_FOUND = (404, b"{}")


async def app(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    """Send the recorded response."""
    if scope["method"] == "POST":
        while (await receive()).get("more_body"):
            pass
    status, body = _RESPONSES.get((scope["method"], scope["path"]), _NOT_FOUND)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
