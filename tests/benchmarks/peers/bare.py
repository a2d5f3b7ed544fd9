"""uvicorn alone, answering what Blogsite answered from a dictionary: as fast as this server can be."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.benchmarks import answers

_ANSWERS = answers.load(Path(os.environ["BLOG_DATA_DIR"]))
_NOT_FOUND = (404, b"{}")


async def app(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    """Answer with the recorded bytes."""
    if scope["method"] == "POST":
        while (await receive()).get("more_body"):
            pass
    status, body = _ANSWERS.get((scope["method"], scope["path"]), _NOT_FOUND)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
