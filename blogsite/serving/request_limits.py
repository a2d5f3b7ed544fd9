"""The layer that reads a whole request body, within a length and a time, before any inner layer sees the request."""

import asyncio
from collections.abc import Awaitable
from tempfile import SpooledTemporaryFile
from typing import IO

from blogsite.errors import BlogError, BodyTooSlow, InternalError, LengthRequired, TooLarge
from blogsite.http import problems
from blogsite.serving.asgi import App, Message, Receive, Scope, Send, headers_of, route_of, send_problem

BYTES_PER_SECOND = 64 * 1024
MAX_DISCARDED_BYTES = 64 * 1024 * 1024
CLOSE_CONNECTION = (b"connection", b"close")
IN_MEMORY_BYTES = 1024 * 1024  # a longer body is stored in a file, so that simultaneous uploads need no memory
SPOOLED_BODY_KEY = "blogsite.body"  # the scope's key of the `SpooledBody`, absent if the request has no body


class SpooledBody:
    """A request body that was received completely. It is read either through `receive` or, after `take`, as a file."""

    def __init__(self, file: IO[bytes], receive_next: Receive) -> None:
        self._file = file
        self._receive_next = receive_next
        self._is_received = False

    def take(self) -> IO[bytes]:
        """Return the file, positioned at its start. After this, `receive` returns only the messages after the body.

        The layer that spooled the body closes the file when the request ends.
        """
        self._is_received = True
        return self._file

    async def receive(self) -> Message:
        """Return the next part of the body, and then the server's next messages."""
        if self._is_received:
            return await self._receive_next()
        part = self._file.read(IN_MEMORY_BYTES)
        self._is_received = len(part) < IN_MEMORY_BYTES
        return {"type": "http.request", "body": part, "more_body": not self._is_received}


class RequestLimits:
    """Answers 413 to a body longer than its route allows, and 408 to one that takes longer than `timeout` seconds.

    A long body has one more second for each `BYTES_PER_SECOND` of its declared length. A form with files must declare
    its length (411): without it, Django reads an empty form. The inner application receives the body as usual, or takes
    it over as a file from the `SpooledBody` in the scope.

    uvicorn has no such limits, and Django writes a whole body to disk before it measures the body. A body that is too
    long is read to its end and discarded, up to 64 MiB: a client whose connection is closed while it sends does not
    read the response.
    """

    def __init__(self, app: App, *, timeout: float) -> None:
        self.app = app
        self.timeout = timeout

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        headers = headers_of(scope)
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            return self.app(scope, receive, send)  # there is no body: RFC 9112, 6.3
        return self._with_body(scope, receive, send)

    async def _with_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        max_bytes = route_of(scope).max_body_bytes
        with SpooledTemporaryFile(IN_MEMORY_BYTES) as file:
            declared = min(int(headers.get(b"content-length", b"0")), max_bytes)
            try:
                async with asyncio.timeout(self.timeout + declared / BYTES_PER_SECOND):
                    is_complete = await _spool(headers, receive, max_bytes, file)
            except (TimeoutError, BlogError, OSError) as error:
                problem = BodyTooSlow() if isinstance(error, TimeoutError) else problems.translate(error)
                if isinstance(problem, InternalError):
                    raise
                return await send_problem(scope, send, problem, CLOSE_CONNECTION)
            if is_complete:
                file.seek(0)
                body = scope[SPOOLED_BODY_KEY] = SpooledBody(file, receive)
                await self.app(scope, body.receive, send)


async def _spool(headers: dict[bytes, bytes], receive: Receive, max_bytes: int, file: IO[bytes]) -> bool:
    """Write the body into `file`. Return False if the client disconnects before its end.

    Raises `TooLarge` and `LengthRequired`.
    """
    if b"content-length" not in headers and headers.get(b"content-type", b"").startswith(b"multipart/"):
        raise LengthRequired
    too_large = TooLarge(f"The body must not be longer than {max_bytes} bytes.")
    declared = int(headers.get(b"content-length", b"0"))
    is_too_large = declared > max_bytes
    if is_too_large and (declared > MAX_DISCARDED_BYTES or headers.get(b"expect", b"").lower() == b"100-continue"):
        raise too_large
    received = 0
    has_more = True
    while has_more:
        message = await receive()
        if message["type"] != "http.request":
            return False
        received += len(message["body"])
        has_more = message["more_body"]
        is_too_large = is_too_large or received > max_bytes
        if not is_too_large:
            file.write(message["body"])
        elif received > MAX_DISCARDED_BYTES:
            raise too_large
    if is_too_large:
        raise too_large
    return True
