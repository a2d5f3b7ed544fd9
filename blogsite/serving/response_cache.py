"""The exact response cache: a stored answer is served only while it is provably the one that would be given now."""

import asyncio
import gzip
import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cachetools import LRUCache

from blogsite.serving import App, Headers, Message, Receive, Scope, Send, answer
from blogsite.serving.database_version import VERSION, Clock

MIN_GZIP_BYTES = 860  # below this a compressed answer fits no fewer packets
FOREVER = float("inf")

Key = tuple[str, bytes, str, bytes]


@dataclass
class Entry:
    """A stored answer: for which version of the database, and until when (in seconds of the Unix clock)."""

    version: Hashable
    expires: float
    status: int
    headers: Headers
    body: bytes
    zipped: bytes | None = field(default=None)
    etag: bytes = b""

    @property
    def compressible(self) -> bool:
        return len(self.body) >= MIN_GZIP_BYTES

    @property
    def size(self) -> int:
        """Its bytes in memory, about: with room for the compressed copy."""
        return 2 * len(self.body) + sum(len(name) + len(value) for name, value in self.headers) + 512


class ResponseCache:
    """Stores whole answers to anonymous reads, and serves them while nothing has changed.

    The version of the database is in the scope (`DatabaseVersion`), read before the request runs. Its answer is stored
    under that version and served only under the same one, so nothing is ever stale and no code has to remember to
    invalidate. An answer also expires at the next moment at which anything is scheduled. Only a 200 or 308 that the
    view marked `Cache-Control: public` is stored, never one with `Set-Cookie`; requests with `Authorization` pass by.
    Simultaneous misses run once. `X-Cache` says what happened. At most `max_bytes` are kept: what was not asked for
    the longest goes first.
    """

    def __init__(self, app: App, *, clock: Clock, max_bytes: int) -> None:
        self.app = app
        self.clock = clock
        self.entries: LRUCache[Key, Entry] = LRUCache(max_bytes, getsizeof=lambda entry: entry.size)
        self.running: dict[tuple[Hashable, Key], asyncio.Event] = {}
        self.horizon: tuple[Hashable, float, float] = (None, 0, 0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if VERSION not in scope or scope["method"] not in ("GET", "HEAD"):
            return await self.app(scope, receive, send)
        headers = dict(scope["headers"])
        version = scope[VERSION]
        if version is None or b"authorization" in headers:
            return await self.app(scope, receive, _marked(send, b"bypass"))
        key = (scope["scheme"], headers.get(b"host", b""), scope["path"], scope["query_string"])
        if entry := self._current(key, version):
            return await _serve(entry, headers, scope, send, b"hit")
        if twin := self.running.get((version, key)):
            await twin.wait()
            if entry := self._current(key, version):
                return await _serve(entry, headers, scope, send, b"hit")
            return await self.app(scope, receive, _marked(send, b"miss"))
        self.running[version, key] = done = asyncio.Event()
        try:
            await self._run(key, version, headers, scope, receive, send)
        finally:
            del self.running[version, key]
            done.set()

    def _current(self, key: Key, version: Hashable) -> Entry | None:
        entry = self.entries.get(key)
        return entry if entry and entry.version == version and time.time() < entry.expires else None

    async def _run(
        self, key: Key, version: Hashable, headers: dict[bytes, bytes], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Let the application answer a plain GET, store the answer if it may be, and serve it."""
        started = time.time()
        # The whole answer is wanted, whatever part of it this client needs.
        plain = [pair for pair in scope["headers"] if pair[0] not in (b"if-none-match", b"if-modified-since")]
        parts: list[Message] = []
        passing = False

        async def capture(message: Message) -> None:
            nonlocal passing
            if message["type"] == "http.response.start" and not _storable(message):
                passing = True
            if passing:
                await _marked(send, b"miss")(message)
            else:
                parts.append(message)

        await self.app({**scope, "method": "GET", "headers": plain}, receive, capture)
        if passing or not parts:
            return
        start, *rest = parts
        body = b"".join(part.get("body", b"") for part in rest)
        expires = await self._expiry(version, started)
        kept = [(name.lower(), value) for name, value in start["headers"] if name.lower() != b"content-length"]
        entry = Entry(version, expires, start["status"], kept, body, etag=dict(kept).get(b"etag", b""))
        if entry.size <= self.entries.maxsize:
            self.entries[key] = entry
        await _serve(entry, headers, scope, send, b"miss")

    async def _expiry(self, version: Hashable, started: float) -> float:
        """When an answer that was begun at `started` ends, by the clock alone. Asked once a version, and once past."""
        known, since, until = self.horizon
        if known != version or not since <= started < until:
            moment = await self.clock.next_change(datetime.fromtimestamp(started, UTC))
            until = moment.timestamp() if moment else FOREVER
            if self.clock.version() != version:
                return 0  # it is about another state of the database: the answer is served once, and not again
            self.horizon = (version, started, until)
        return until


def _storable(start: Message) -> bool:
    headers = {name.lower(): value for name, value in start["headers"]}
    public = b"public" in headers.get(b"cache-control", b"")
    return start["status"] in (200, 308) and public and b"set-cookie" not in headers


async def _serve(entry: Entry, headers: dict[bytes, bytes], scope: Scope, send: Send, how: bytes) -> None:
    """Send the entry as this client wants it: compressed, not at all (304), or without its body (HEAD)."""
    body, etag, given = entry.body, entry.etag, [*entry.headers, (b"x-cache", how)]
    if entry.compressible and b"gzip" in headers.get(b"accept-encoding", b""):
        if entry.zipped is None:
            entry.zipped = gzip.compress(entry.body, compresslevel=6, mtime=0)
        body, etag = entry.zipped, entry.etag[:-1] + b'-gzip"'
        given = [(b"etag", etag) if name == b"etag" else (name, value) for name, value in given]
        given.append((b"content-encoding", b"gzip"))
    if b"if-none-match" in headers and _matches(headers[b"if-none-match"], entry.etag, etag):
        kept = {b"etag", b"cache-control", b"vary", b"x-cache"}  # RFC 9110, 15.4.5
        start = [pair for pair in given if pair[0] in kept]
        await send({"type": "http.response.start", "status": 304, "headers": start})
        return await send({"type": "http.response.body", "body": b""})
    if scope["method"] == "HEAD":
        given.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": entry.status, "headers": given})
        return await send({"type": "http.response.body", "body": b""})
    await answer(send, entry.status, given, body)


def _matches(if_none_match: bytes, *etags: bytes) -> bool:
    """RFC 9110, 13.1.2: a list of entity tags, compared weakly, or `*`."""
    asked = {tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b",")}
    return b"*" in asked or not asked.isdisjoint(etags)


def _marked(send: Send, how: bytes) -> Send:
    """`send`, with `X-Cache` added."""

    async def send_marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"x-cache", how)]}
        await send(message)

    return send_marked
