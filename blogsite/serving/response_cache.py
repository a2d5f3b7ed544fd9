"""The exact response cache: a stored response is served only while it is provably identical to a new one."""

import asyncio
import gzip
import logging
import re
import time
from collections.abc import Hashable
from datetime import UTC, datetime
from functools import partial

from cachetools import LRUCache
from django.db import DatabaseError

from blogsite.db.change_detector import ChangeDetector
from blogsite.serving import asgi
from blogsite.serving.asgi import HEADERS_KEY, START, App, Headers, Message, Receive, Scope, Send, headers_of
from blogsite.serving.content_version import CONTENT_VERSION_KEY

MAX_INLINE_GZIP_BYTES = 64 * 1024
MIN_GZIP_BYTES = 860  # a shorter response does not need fewer packets when it is compressed
NEVER = float("inf")
HEADERS_OF_304 = {b"etag", b"cache-control", b"vary", b"x-cache"}  # RFC 9110, 15.4.5

logger = logging.getLogger(__name__)

Key = tuple[str, bytes, str, bytes]


class EncodedResponse:
    """A response in one content coding, as the ASGI messages that send it."""

    def __init__(self, status: int, headers: Headers, etag: bytes, body: bytes) -> None:
        self.etag = etag
        self.headers: Headers = [*headers, (b"etag", etag), (b"content-length", b"%d" % len(body))]
        self.miss: Message = {"type": START, "status": status, "headers": [*self.headers, (b"x-cache", b"miss")]}
        self.hit: Message = {"type": START, "status": status, "headers": [*self.headers, (b"x-cache", b"hit")]}
        self.body: Message = {"type": "http.response.body", "body": body}


class CachedResponse:
    """A stored response, valid for one content version and until `expires`, a Unix time in seconds."""

    def __init__(self, version: Hashable, expires: float, status: int, headers: Headers, body: bytes) -> None:
        self.version = version
        self.expires = expires
        self.status = status
        self.headers = [pair for pair in headers if pair[0] not in (b"etag", b"content-length")]
        self.plain = EncodedResponse(status, self.headers, dict(headers)[b"etag"], body)
        self.gzipped: EncodedResponse | None = None
        # An estimate, with room for the compressed body and for Python's objects.
        self.size = 2 * len(body) + 8 * sum(len(name) + len(value) for name, value in headers) + 2048

    async def encoded_for(self, headers: dict[bytes, bytes]) -> EncodedResponse:
        """Return the response in the coding that the request's headers accept. Compresses it on first use."""
        body = self.plain.body["body"]
        if len(body) < MIN_GZIP_BYTES or not _accepts_gzip(headers.get(b"accept-encoding", b"")):
            return self.plain
        if self.gzipped is None:
            work = partial(gzip.compress, body, compresslevel=6, mtime=0)
            # A large body is compressed in a thread, so that it does not block the event loop.
            gzipped = await asyncio.to_thread(work) if len(body) > MAX_INLINE_GZIP_BYTES else work()
            encoded = [*self.headers, (b"content-encoding", b"gzip")]
            self.gzipped = EncodedResponse(self.status, encoded, self.plain.etag[:-1] + b'-gzip"', gzipped)
        return self.gzipped


class ResponseCache:
    """Stores whole responses to anonymous reads, and serves them while nothing has changed.

    `ContentVersion` puts the content version into the scope before the request runs. The response is stored under that
    version and served only under the same one, so nothing is ever stale and no code has to invalidate anything.
    A response also expires at the next scheduled publication.

    Only a 200 or 308 with an `ETag` that the view marked `Cache-Control: public` is stored, never one with
    `Set-Cookie`. Requests with `Authorization` bypass the cache. Of simultaneous identical misses, only the first one
    runs; the others wait for it. The header `X-Cache` is `hit`, `miss` or `bypass`. At most `max_bytes` are kept; the
    least recently used response is evicted first.
    """

    def __init__(self, app: App, *, detector: ChangeDetector, max_bytes: int) -> None:
        self.app = app
        self.detector = detector
        self.responses: LRUCache[Key, CachedResponse] = LRUCache(max_bytes, getsizeof=lambda cached: cached.size)
        self.running: dict[tuple[Hashable, Key], asyncio.Event] = {}
        self.known_next_change: tuple[Hashable, float, float] = (None, 0, 0)
        """For a content version: the time of the query, and the time of the next scheduled publication after it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if CONTENT_VERSION_KEY not in scope or scope["method"] not in ("GET", "HEAD"):
            return await self.app(scope, receive, send)
        headers = headers_of(scope)
        version = scope[CONTENT_VERSION_KEY]
        if version is None or b"authorization" in headers:
            return await self.app(scope, receive, with_cache_status(send, b"bypass"))
        key = (scope["scheme"], headers.get(b"host", b""), scope["path"], scope["query_string"])
        if cached := self._lookup(key, version):
            return await _serve(cached, headers, scope, send, hit=True)
        if running := self.running.get((version, key)):
            await running.wait()
            if cached := self._lookup(key, version):
                return await _serve(cached, headers, scope, send, hit=True)
            return await self.app(scope, receive, with_cache_status(send, b"miss"))
        self.running[version, key] = done = asyncio.Event()
        try:
            await self._run_and_store(key, version, scope, receive, send)
        finally:
            del self.running[version, key]
            done.set()

    def _lookup(self, key: Key, version: Hashable) -> CachedResponse | None:
        try:
            cached = self.responses[key]
        except KeyError:
            return None
        return cached if cached.version == version and time.time() < cached.expires else None

    async def _run_and_store(self, key: Key, version: Hashable, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the request as an unconditional GET, store the response if that is allowed, and serve it."""
        started = time.time()
        # The stored response must be complete, even if this client only needs a 304.
        unconditional = [pair for pair in scope["headers"] if pair[0] not in (b"if-none-match", b"if-modified-since")]
        parts: list[Message] = []
        is_passed_on = False

        async def capture(message: Message) -> None:
            nonlocal is_passed_on
            if message["type"] == START and not _storable(message):
                is_passed_on = True
            if is_passed_on:
                await with_cache_status(send, b"miss")(message)
            else:
                parts.append(message)

        inner = {**scope, "method": "GET", "headers": unconditional}
        del inner[HEADERS_KEY]
        await self.app(inner, receive, capture)
        if is_passed_on or not parts:
            return
        start, *rest = parts
        body = b"".join(part.get("body", b"") for part in rest)
        expires = await self._expiry(version, started)
        kept = [(name.lower(), value) for name, value in start["headers"]]
        cached = CachedResponse(version, expires, start["status"], kept, body)
        if cached.size <= self.responses.maxsize:
            self.responses[key] = cached
        await _serve(cached, headers_of(scope), scope, send, hit=False)

    async def _expiry(self, version: Hashable, started: float) -> float:
        """Return when a response that was begun at `started` expires; 0 if it must not be served again.

        The next change is queried once per content version, and again when that time has passed.
        """
        known_version, since, until = self.known_next_change
        if known_version != version or not since <= started < until:
            try:
                next_change = await self.detector.next_change(datetime.fromtimestamp(started, UTC))
            except DatabaseError as error:
                logger.warning("A response is not cached because the next change could not be queried: %s", error)
                return 0
            until = next_change.timestamp() if next_change else NEVER
            if self.detector.version() != version:
                return 0  # the query may have seen newer content than the response
            self.known_next_change = (version, started, until)
        return until


def _storable(start: Message) -> bool:
    headers = {name.lower(): value for name, value in start["headers"]}
    public = b"public" in headers.get(b"cache-control", b"")
    return start["status"] in (200, 308) and public and b"etag" in headers and b"set-cookie" not in headers


async def _serve(cached: CachedResponse, headers: dict[bytes, bytes], scope: Scope, send: Send, *, hit: bool) -> None:
    """Send the response in the form this client accepts: compressed, without a body (HEAD), or only a 304."""
    encoded = await cached.encoded_for(headers) if b"accept-encoding" in headers else cached.plain
    start = encoded.hit if hit else encoded.miss
    if b"if-none-match" in headers and asgi.has_etag(headers[b"if-none-match"], cached.plain.etag, encoded.etag):
        kept = [pair for pair in start["headers"] if pair[0] in HEADERS_OF_304]
        await send({"type": START, "status": 304, "headers": kept})
        return await send(asgi.EMPTY_BODY)
    await send(start)
    await send(encoded.body if scope["method"] == "GET" else asgi.EMPTY_BODY)


def _accepts_gzip(accept_encoding: bytes) -> bool:
    """Return whether gzip is listed with a weight other than zero (RFC 9110, 12.5.3)."""
    for coding in accept_encoding.split(b","):
        name, _, weight = coding.replace(b" ", b"").partition(b";")
        if name.lower() == b"gzip":
            return not re.fullmatch(rb"q=0(\.0*)?", weight)
    return False


def with_cache_status(send: Send, status: bytes) -> Send:
    """Return a `send` that adds the header `X-Cache` with this status."""

    async def send_with_status(message: Message) -> None:
        if message["type"] == START:
            message = {**message, "headers": [*message["headers"], (b"x-cache", status)]}
        await send(message)

    return send_with_status
