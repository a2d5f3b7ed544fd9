"""The exact response cache: a stored answer is served only while it is provably the one that would be given now."""

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
from blogsite.serving.asgi import START, App, Headers, Message, Receive, Scope, Send, headers_of
from blogsite.serving.content_version import VERSION

MAX_QUICK_BYTES = 64 * 1024
MIN_GZIP_BYTES = 860  # below this a compressed answer fits no fewer packets
FOREVER = float("inf")
KEPT_IN_304 = {b"etag", b"cache-control", b"vary", b"x-cache"}  # RFC 9110, 15.4.5

logger = logging.getLogger(__name__)

Key = tuple[str, bytes, str, bytes]


class Copy:
    """An answer in one encoding, as the messages that send it."""

    def __init__(self, status: int, headers: Headers, etag: bytes, body: bytes) -> None:
        self.etag = etag
        self.headers: Headers = [*headers, (b"etag", etag), (b"content-length", b"%d" % len(body))]
        self.miss: Message = {"type": START, "status": status, "headers": [*self.headers, (b"x-cache", b"miss")]}
        self.hit: Message = {"type": START, "status": status, "headers": [*self.headers, (b"x-cache", b"hit")]}
        self.body: Message = {"type": "http.response.body", "body": body}


class Entry:
    """A stored answer: for which version of the database, and until when (in seconds of the Unix clock)."""

    def __init__(self, version: Hashable, expires: float, status: int, headers: Headers, body: bytes) -> None:
        self.version = version
        self.expires = expires
        self.status = status
        self.headers = [pair for pair in headers if pair[0] not in (b"etag", b"content-length")]
        self.plain = Copy(status, self.headers, dict(headers)[b"etag"], body)
        self.zipped: Copy | None = None
        # About: with room for the compressed copy, and for what Python adds.
        self.size = 2 * len(body) + 8 * sum(len(name) + len(value) for name, value in headers) + 2048

    async def copy_for(self, headers: dict[bytes, bytes]) -> Copy:
        """The copy that a client with these headers wants. The compressed one is made when first asked for."""
        body = self.plain.body["body"]
        if len(body) < MIN_GZIP_BYTES or not _accepts_gzip(headers.get(b"accept-encoding", b"")):
            return self.plain
        if self.zipped is None:
            # A large body takes a while, in which the event loop serves others.
            work = partial(gzip.compress, body, compresslevel=6, mtime=0)
            zipped = await asyncio.to_thread(work) if len(body) > MAX_QUICK_BYTES else work()
            encoded = [*self.headers, (b"content-encoding", b"gzip")]
            self.zipped = Copy(self.status, encoded, self.plain.etag[:-1] + b'-gzip"', zipped)
        return self.zipped


class ResponseCache:
    """Stores whole answers to anonymous reads, and serves them while nothing has changed.

    The version of the database is in the scope (`ContentVersion`), read before the request runs. Its answer is stored
    under that version and served only under the same one, so nothing is ever stale and no code has to remember to
    invalidate. An answer also expires at the next moment at which anything is scheduled. Only a 200 or 308 with
    an `ETag` that the view marked `Cache-Control: public` is stored, never one with `Set-Cookie`; requests with
    `Authorization` pass by. Simultaneous misses run once. `X-Cache` says what happened. At most `max_bytes` are kept:
    what was not asked for the longest goes first.
    """

    def __init__(self, app: App, *, detector: ChangeDetector, max_bytes: int) -> None:
        self.app = app
        self.detector = detector
        self.entries: LRUCache[Key, Entry] = LRUCache(max_bytes, getsizeof=lambda entry: entry.size)
        self.running: dict[tuple[Hashable, Key], asyncio.Event] = {}
        self.horizon: tuple[Hashable, float, float] = (None, 0, 0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if VERSION not in scope or scope["method"] not in ("GET", "HEAD"):
            return await self.app(scope, receive, send)
        headers = headers_of(scope)
        version = scope[VERSION]
        if version is None or b"authorization" in headers:
            return await self.app(scope, receive, _marked(send, b"bypass"))
        key = (scope["scheme"], headers.get(b"host", b""), scope["path"], scope["query_string"])
        if entry := self._current(key, version):
            return await _serve(entry, headers, scope, send, hit=True)
        if twin := self.running.get((version, key)):
            await twin.wait()
            if entry := self._current(key, version):
                return await _serve(entry, headers, scope, send, hit=True)
            return await self.app(scope, receive, _marked(send, b"miss"))
        self.running[version, key] = done = asyncio.Event()
        try:
            await self._run(key, version, scope, receive, send)
        finally:
            del self.running[version, key]
            done.set()

    def _current(self, key: Key, version: Hashable) -> Entry | None:
        try:
            entry = self.entries[key]
        except KeyError:
            return None
        return entry if entry.version == version and time.time() < entry.expires else None

    async def _run(self, key: Key, version: Hashable, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer a plain GET, store the answer if it may be, and serve it."""
        started = time.time()
        # The whole answer is wanted, whatever part of it this client needs.
        plain = [pair for pair in scope["headers"] if pair[0] not in (b"if-none-match", b"if-modified-since")]
        parts: list[Message] = []
        passing = False

        async def capture(message: Message) -> None:
            nonlocal passing
            if message["type"] == START and not _storable(message):
                passing = True
            if passing:
                await _marked(send, b"miss")(message)
            else:
                parts.append(message)

        inner = {**scope, "method": "GET", "headers": plain}
        del inner["blogsite.headers"]
        await self.app(inner, receive, capture)
        if passing or not parts:
            return
        start, *rest = parts
        body = b"".join(part.get("body", b"") for part in rest)
        expires = await self._expiry(version, started)
        kept = [(name.lower(), value) for name, value in start["headers"]]
        entry = Entry(version, expires, start["status"], kept, body)
        if entry.size <= self.entries.maxsize:
            self.entries[key] = entry
        await _serve(entry, headers_of(scope), scope, send, hit=False)

    async def _expiry(self, version: Hashable, started: float) -> float:
        """When an answer that was begun at `started` ends, by the clock alone. Asked once a version, and once past."""
        known, since, until = self.horizon
        if known != version or not since <= started < until:
            try:
                moment = await self.detector.next_change(datetime.fromtimestamp(started, UTC))
            except DatabaseError as error:
                logger.warning("An answer is not stored, since the database does not say for how long: %s", error)
                return 0
            until = moment.timestamp() if moment else FOREVER
            if self.detector.version() != version:
                return 0  # it is about another state of the database: the answer is served once, and not again
            self.horizon = (version, started, until)
        return until


def _storable(start: Message) -> bool:
    headers = {name.lower(): value for name, value in start["headers"]}
    public = b"public" in headers.get(b"cache-control", b"")
    return start["status"] in (200, 308) and public and b"etag" in headers and b"set-cookie" not in headers


async def _serve(entry: Entry, headers: dict[bytes, bytes], scope: Scope, send: Send, *, hit: bool) -> None:
    """Send the entry as this client wants it: compressed, not at all (304), or without its body (HEAD)."""
    copy = await entry.copy_for(headers) if b"accept-encoding" in headers else entry.plain
    start = copy.hit if hit else copy.miss
    if b"if-none-match" in headers and _matches(headers[b"if-none-match"], entry.plain.etag, copy.etag):
        kept = [pair for pair in start["headers"] if pair[0] in KEPT_IN_304]
        await send({"type": START, "status": 304, "headers": kept})
        return await send({"type": "http.response.body", "body": b""})
    await send(start)
    await send(copy.body if scope["method"] == "GET" else {"type": "http.response.body", "body": b""})


def _accepts_gzip(accept_encoding: bytes) -> bool:
    """RFC 9110, 12.5.3: gzip is named, and not with a weight of zero."""
    for coding in accept_encoding.split(b","):
        name, _, weight = coding.replace(b" ", b"").partition(b";")
        if name.lower() == b"gzip":
            return not re.fullmatch(rb"q=0(\.0*)?", weight)
    return False


def _matches(if_none_match: bytes, *etags: bytes) -> bool:
    """RFC 9110, 13.1.2: a list of entity tags, compared weakly, or `*`."""
    asked = {tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b",")}
    return b"*" in asked or not asked.isdisjoint(etags)


def _marked(send: Send, how: bytes) -> Send:
    """`send`, with `X-Cache` added."""

    async def send_marked(message: Message) -> None:
        if message["type"] == START:
            message = {**message, "headers": [*message["headers"], (b"x-cache", how)]}
        await send(message)

    return send_marked
