"""A request body is read here, whole, within a length and a time, before anything else sees the request."""

import asyncio
import errno
from collections.abc import Awaitable, Sequence
from tempfile import SpooledTemporaryFile
from typing import IO

from blogsite.errors import BlogError, BodyTooSlow, LengthRequired, StorageFull, TooLarge
from blogsite.serving.asgi import App, Message, Receive, Scope, Send, headers_of, refuse

BYTES_A_SECOND = 64 * 1024
MAX_DRAINED = 64 * 1024 * 1024
NOT_READ_TO_ITS_END = (b"connection", b"close")
IN_MEMORY_BYTES = 1024 * 1024
"""A longer body waits in a file: so do many uploads at once, without a byte of memory."""


class RequestLimits:
    """Answers 413 to a body that is too long, and 408 to one that takes longer than `timeout` seconds.

    A long body has a second more for each `BYTES_A_SECOND` that it says to have.

    `routes` are pairs of the beginning of a path and its limit in bytes; the first that fits counts. A form with files
    must say its length (411): without it, Django reads an empty form.

    uvicorn has no limits, and Django writes a whole body to disk before it measures it. What is too long is read on
    and thrown away, up to 64 MiB: a client that is cut off while it sends does not read the answer.
    """

    def __init__(self, app: App, *, routes: Sequence[tuple[str, int]], timeout: float) -> None:
        self.app = app
        self.routes = routes
        self.timeout = timeout

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        headers = headers_of(scope)
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            return self.app(scope, receive, send)  # there is no body: RFC 9112, 6.3
        return self._with_body(scope, receive, send)

    async def _with_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        max_bytes = next(limit for beginning, limit in self.routes if scope["path"].startswith(beginning))
        with SpooledTemporaryFile(IN_MEMORY_BYTES) as body:
            declared = min(int(headers.get(b"content-length", b"0")), max_bytes)
            try:
                async with asyncio.timeout(self.timeout + declared / BYTES_A_SECOND):
                    is_whole = await _read(headers, receive, max_bytes, body)
            except TimeoutError:
                return await refuse(scope, send, BodyTooSlow(), NOT_READ_TO_ITS_END)
            except BlogError as error:
                return await refuse(scope, send, error, NOT_READ_TO_ITS_END)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                return await refuse(scope, send, StorageFull(), NOT_READ_TO_ITS_END)
            if is_whole:
                body.seek(0)
                await self.app(scope, _receive_from(body, receive), send)


def _receive_from(body: IO[bytes], receive: Receive) -> Receive:
    """What gives the body again, a long one in pieces, and then what comes after it."""
    is_read = False

    async def receive_body() -> Message:
        nonlocal is_read
        if is_read:
            return await receive()
        piece = body.read(IN_MEMORY_BYTES)
        is_read = len(piece) < IN_MEMORY_BYTES
        return {"type": "http.request", "body": piece, "more_body": not is_read}

    return receive_body


async def _read(headers: dict[bytes, bytes], receive: Receive, max_bytes: int, body: IO[bytes]) -> bool:
    """Write what comes into `body`, and return whether it is whole: or the client hangs up.

    Raises `TooLarge`, `LengthRequired`.
    """
    if b"content-length" not in headers and headers.get(b"content-type", b"").startswith(b"multipart/"):
        raise LengthRequired
    too_large = TooLarge(f"The body may have {max_bytes} bytes.")
    declared = int(headers.get(b"content-length", b"0"))
    refused = declared > max_bytes
    if refused and (declared > MAX_DRAINED or headers.get(b"expect", b"").lower() == b"100-continue"):
        raise too_large
    received = 0
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return False
        received += len(message["body"])
        more = message["more_body"]
        refused = refused or received > max_bytes
        if not refused:
            body.write(message["body"])
        elif received > MAX_DRAINED:
            raise too_large
    if refused:
        raise too_large
    return True
