"""The files of uploaded images, under addresses that stay the same wherever the files are stored."""

import asyncio
import re
from collections.abc import Callable
from typing import IO

from django.core.files.storage import Storage

from blogsite.errors import BlogError, MethodNotAllowed, NotFound, StorageUnavailable
from blogsite.serving.asgi import START, App, Headers, Receive, Scope, Send, answer, headers_of, refuse

CHUNK_BYTES = 256 * 1024
RANGE = re.compile(rb"bytes=(\d{0,18})-(\d{0,18})")
ALLOW = (b"allow", b"GET, HEAD, OPTIONS")
HEADERS: Headers = [
    # A name is given once, and what it names never changes: RFC 8246.
    (b"cache-control", b"public, max-age=31536000, immutable"),
    (b"accept-ranges", b"bytes"),
    # The edge says `nosniff` and `default-src 'none'`. A file that is more than an image after all finds itself alone.
    (b"content-security-policy", b"sandbox"),
    (b"cross-origin-resource-policy", b"cross-origin"),
]


class MediaFiles:
    """Answers GET and HEAD below `prefix` with a file of `storage`, and leaves all else to `app`.

    `find` takes the rest of the path, and returns where in the storage the file is and its type, or None.
    Honours `If-None-Match`, `Range` for one range, and `If-Range` (RFC 9110, 13 and 14). A file is read in pieces, in
    a thread, as quickly as the client takes them: the memory it costs does not depend on its size. A storage without
    files of its own, such as S3, is asked for an address, and the client is sent there.
    """

    def __init__(
        self, app: App, *, prefix: str, storage: Storage, find: Callable[[str], tuple[str, str] | None]
    ) -> None:
        self.app = app
        self.prefix = prefix
        self.storage = storage
        self.find = find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["path"].startswith(self.prefix):
            return await self.app(scope, receive, send)
        name = scope["path"].removeprefix(self.prefix)
        if scope["method"] == "OPTIONS":
            return await answer(send, 204, [ALLOW])
        if scope["method"] not in ("GET", "HEAD"):
            return await refuse(scope, send, MethodNotAllowed(), ALLOW)
        found = self.find(name)
        if found is None:
            return await refuse(scope, send, NotFound("There is no such file."))
        try:
            place, content_type = found
            file = await asyncio.to_thread(self._open, place, scope["method"])
        except BlogError as error:
            return await refuse(scope, send, error)
        if isinstance(file, str):
            # The address holds for an hour: nobody keeps the way to it.
            return await answer(send, 307, [(b"location", file.encode()), (b"cache-control", b"no-store")])
        with file:
            headers = [(b"content-type", content_type.encode()), (b"etag", b'"%s"' % name.encode()), *HEADERS]
            await _send_file(scope, receive, send, file, headers)

    def _open(self, place: str, method: str) -> IO[bytes] | str:
        """The file, or the address at which it is. Raises `NotFound`, `StorageUnavailable`."""
        try:
            path = self.storage.path(place)
        except NotImplementedError:  # by which a storage says that its files have no paths
            return str(self.storage.url(place, http_method=method))  # type: ignore[call-arg] # S3 signs the method, too
        try:
            return open(path, "rb")
        except FileNotFoundError:
            raise NotFound("There is no such file.") from None
        except OSError as error:
            raise StorageUnavailable from error


async def _send_file(scope: Scope, receive: Receive, send: Send, file: IO[bytes], headers: Headers) -> None:
    asked = headers_of(scope)
    etag = dict(headers)[b"etag"]
    known = asked.get(b"if-none-match", b"")
    if known.strip() == b"*" or etag in [tag.strip().removeprefix(b"W/") for tag in known.split(b",")]:
        return await answer_without_body(send, 304, headers)
    size = file.seek(0, 2)
    first, last, status = 0, size - 1, 200
    is_get = scope["method"] == "GET"
    asks_part = is_get and asked.get(b"if-range", etag) == etag  # RFC 9110, 14.2: of GET alone
    wanted = RANGE.fullmatch(asked.get(b"range", b"").strip()) if asks_part else None
    if wanted is not None and _is_range(wanted[1], wanted[2]):
        first, last = _bounds(wanted[1], wanted[2], size)
        status = 206
        if first > last:
            return await answer(send, 416, [(b"content-range", b"bytes */%d" % size), (b"cache-control", b"no-store")])
        headers = [*headers, (b"content-range", b"bytes %d-%d/%d" % (first, last, size))]
    length = last - first + 1
    await send({"type": START, "status": status, "headers": [*headers, (b"content-length", b"%d" % length)]})
    file.seek(first)
    left = length if is_get else 0
    if not left:
        return await send({"type": "http.response.body", "body": b""})
    leaving = asyncio.create_task(_leaves(receive))  # or the file would be read to its end for nobody
    try:
        while left and not leaving.done():
            piece = await asyncio.to_thread(file.read, min(CHUNK_BYTES, left))
            if not piece:
                raise OSError("The file became shorter while it was read.")
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
    finally:
        leaving.cancel()


async def _leaves(receive: Receive) -> None:
    """Wait until the client hangs up."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _is_range(first: bytes, last: bytes) -> bool:
    """Whether these can be the bounds of a range (RFC 9110, 14.1.1); what cannot is no range, and is ignored."""
    return bool(first or last) and not (first and last and int(first) > int(last))


def _bounds(first: bytes, last: bytes, size: int) -> tuple[int, int]:
    """The first and the last byte of a range (RFC 9110, 14.1.2); the first is behind the last if there is none."""
    if not first:
        return (max(size - int(last), 0), size - 1) if int(last) else (size, size - 1)
    return int(first), min(int(last), size - 1) if last else size - 1


async def answer_without_body(send: Send, status: int, headers: Headers) -> None:
    """Send an answer that has no body, and no length of one."""
    await send({"type": START, "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
