"""The layer that serves uploaded images, under URLs that do not depend on where the files are stored."""

import asyncio
import re
from collections.abc import Callable
from typing import IO

from django.core.files.storage import Storage

from blogsite.errors import BlogError, MethodNotAllowed, NotFound, StorageUnavailable
from blogsite.http.routes import Handler
from blogsite.serving import asgi
from blogsite.serving.asgi import START, App, Headers, Receive, Scope, Send, send_problem, send_response

CHUNK_BYTES = 256 * 1024
RANGE = re.compile(rb"bytes=(\d{0,18})-(\d{0,18})")
ALLOW = (b"allow", b"GET, HEAD, OPTIONS")
HEADERS: Headers = [
    # A name is never used twice, and the content of a file never changes: RFC 8246.
    (b"cache-control", b"public, max-age=31536000, immutable"),
    (b"accept-ranges", b"bytes"),
    # The edge adds `nosniff` and `default-src 'none'`. If a file is not only an image, the sandbox isolates it.
    (b"content-security-policy", b"sandbox"),
    (b"cross-origin-resource-policy", b"cross-origin"),
]


class MediaFiles:
    """Answers GET and HEAD of the media route with a file of `storage`, and passes all else to `app`.

    `find` takes the file name from the URL, and returns the file's name in the storage and its content type, or None if
    no file can have that name.

    Honours `If-None-Match`, `Range` with one range, and `If-Range` (RFC 9110, 13 and 14). A file is read in chunks, in
    a thread, as fast as the client receives them: the memory needed does not depend on the file's size. If the storage
    has no local files, as S3 has not, the client is redirected to the storage's URL of the file.
    """

    def __init__(self, app: App, *, storage: Storage, find: Callable[[str], tuple[str, str] | None]) -> None:
        self.app = app
        self.storage = storage
        self.find = find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = asgi.route_of(scope)
        if route.handler is not Handler.MEDIA_FILES:
            return await self.app(scope, receive, send)
        name = scope["path"].removeprefix(route.prefix)
        if scope["method"] == "OPTIONS":
            return await send_response(send, 204, [ALLOW])
        if scope["method"] not in ("GET", "HEAD"):
            return await send_problem(scope, send, MethodNotAllowed(), ALLOW)
        found = self.find(name)
        if found is None:
            return await send_problem(scope, send, NotFound("There is no such file."))
        try:
            stored_name, content_type = found
            file = await asyncio.to_thread(self._open, stored_name, scope["method"])
        except BlogError as error:
            return await send_problem(scope, send, error)
        if isinstance(file, str):
            # The URL is valid for an hour, so the redirect must not be cached.
            return await send_response(send, 307, [(b"location", file.encode()), (b"cache-control", b"no-store")])
        with file:
            headers = [(b"content-type", content_type.encode()), (b"etag", b'"%s"' % name.encode()), *HEADERS]
            await _send_file(scope, receive, send, file, headers)

    def _open(self, stored_name: str, method: str) -> IO[bytes] | str:
        """Return the open file, or the URL to which to redirect. Raises `NotFound` and `StorageUnavailable`."""
        try:
            path = self.storage.path(stored_name)
        except NotImplementedError:  # the storage has no local files
            return str(self.storage.url(stored_name, http_method=method))  # type: ignore[call-arg] # S3 signs the method
        try:
            return open(path, "rb")
        except FileNotFoundError:
            raise NotFound("There is no such file.") from None
        except OSError as error:
            raise StorageUnavailable from error


async def _send_file(scope: Scope, receive: Receive, send: Send, file: IO[bytes], headers: Headers) -> None:
    request_headers = asgi.headers_of(scope)
    etag = dict(headers)[b"etag"]
    if asgi.has_etag(request_headers.get(b"if-none-match", b""), etag):
        await send({"type": START, "status": 304, "headers": headers})
        return await send(asgi.EMPTY_BODY)
    size = file.seek(0, 2)
    first, last, status = 0, size - 1, 200
    is_get = scope["method"] == "GET"
    may_be_partial = is_get and request_headers.get(b"if-range", etag) == etag  # RFC 9110, 14.2: only for GET
    if may_be_partial and (bounds := _requested_range(request_headers.get(b"range", b""), size)):
        first, last = bounds
        status = 206
        if first > last:
            whole = (b"content-range", b"bytes */%d" % size)
            return await send_response(send, 416, [whole, (b"cache-control", b"no-store")])
        headers = [*headers, (b"content-range", b"bytes %d-%d/%d" % (first, last, size))]
    length = last - first + 1
    await send({"type": START, "status": status, "headers": [*headers, (b"content-length", b"%d" % length)]})
    file.seek(first)
    remaining = length if is_get else 0
    if not remaining:
        return await send(asgi.EMPTY_BODY)
    disconnect = asyncio.create_task(_wait_for_disconnect(receive))  # stops reading the file
    try:
        while remaining and not disconnect.done():
            chunk = await asyncio.to_thread(file.read, min(CHUNK_BYTES, remaining))
            if not chunk:
                raise OSError("The file was truncated while it was read.")
            remaining -= len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": remaining > 0})
    finally:
        disconnect.cancel()


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _requested_range(header: bytes, size: int) -> tuple[int, int] | None:
    """Return the positions of the first and the last byte (RFC 9110, 14.1), or None if the header is not valid.

    If no byte of the file is in the range, first > last.
    """
    match = RANGE.fullmatch(header.strip())
    first, last = match.groups() if match else (b"", b"")
    if first and last and int(first) > int(last):
        return None
    if first:
        return int(first), min(int(last), size - 1) if last else size - 1
    return (max(size - int(last), 0), size - 1) if last else None
