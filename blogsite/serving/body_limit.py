"""A request body is read here, whole, within a length and a time, before anything else sees the request."""

import asyncio
from collections.abc import Iterable

from blogsite import problems
from blogsite.errors import BlogError, BodyTooSlow, TooLarge
from blogsite.serving import App, Message, Receive, Scope, Send

MAX_DRAINED = 64 * 1024 * 1024


class BodyLimit:
    """Answers 413 to a body longer than `max_bytes`, and 408 to one that takes longer than `timeout` seconds.

    uvicorn has neither limit, and Django writes a whole body to disk before it measures it. What is too long is read
    on and thrown away, up to 64 MiB: a client that is cut off while it sends does not read the answer.
    """

    def __init__(self, app: App, *, max_bytes: int, timeout: float) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = dict(scope["headers"])
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            return await self.app(scope, receive, send)  # there is no body: RFC 9112, 6.3
        try:
            async with asyncio.timeout(self.timeout):
                body = await self._read(headers, receive)
        except TimeoutError:
            return await _refuse(BodyTooSlow(), headers, send)
        except BlogError as error:
            return await _refuse(error, headers, send)
        if body is None:
            return None  # the client has gone

        unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_body() -> Message:
            return unread.pop() if unread else await receive()

        return await self.app(scope, receive_body, send)

    async def _read(self, headers: dict[bytes, bytes], receive: Receive) -> bytes | None:
        declared = int(headers.get(b"content-length", b"0"))
        refused = declared > self.max_bytes
        if refused and (declared > MAX_DRAINED or headers.get(b"expect", b"").lower() == b"100-continue"):
            raise TooLarge(f"The body may have {self.max_bytes} bytes.")
        chunks: list[bytes] = []
        received = 0
        while True:
            event = await receive()
            if event["type"] != "http.request":
                return None
            received += len(event["body"])
            refused = refused or received > self.max_bytes
            if refused:
                chunks.clear()
            else:
                chunks.append(event["body"])
            if received > MAX_DRAINED or (refused and not event["more_body"]):
                raise TooLarge(f"The body may have {self.max_bytes} bytes.")
            if not event["more_body"]:
                return b"".join(chunks)


async def _refuse(error: BlogError, request_headers: dict[bytes, bytes], send: Send) -> None:
    """Answer without having read all of the body: the connection cannot be used again."""
    request_id = request_headers.get(b"x-request-id", b"").decode("ascii")
    headers: Iterable[tuple[str, str]] = [*problems.headers(error).items(), ("Connection", "close")]
    await send(
        {
            "type": "http.response.start",
            "status": error.status,
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        }
    )
    await send({"type": "http.response.body", "body": problems.body(error, request_id), "more_body": False})
