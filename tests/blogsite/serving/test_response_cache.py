"""The response cache, with an application and a change detector that the tests control."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from blogsite.serving.asgi import Headers, Receive, Scope, Send, send_response
from blogsite.serving.content_version import ContentVersion
from blogsite.serving.response_cache import ResponseCache
from tests.blogsite.serving.asgi import Response, acall, call, make_scope

PUBLIC: Headers = [(b"Cache-Control", b"public, max-age=0"), (b"ETag", b'"1-abc"'), (b"Content-Type", b"text/plain")]
PATH = "/api/v1/posts"


class ManualDetector:
    """A change detector whose version the test sets."""

    def __init__(self) -> None:
        self.now: int | None = 1
        self.changes: list[float] = []
        self.marked = 0

    def version(self) -> int | None:
        return self.now

    def mark_changed(self) -> None:
        self.marked += 1

    async def next_change(self, after: datetime) -> datetime | None:
        later = [moment for moment in self.changes if moment > after.timestamp()]
        return datetime.fromtimestamp(min(later), UTC) if later else None

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        yield


class Application:
    """Answers with the number of its requests so far, followed by `padding`."""

    def __init__(self, status: int = 200, headers: Headers = PUBLIC, padding: bytes = b"") -> None:
        self.status, self.headers, self.padding = status, headers, padding
        self.calls = 0
        self.seen: list[Scope] = []
        self.meanwhile: Callable[[], None] = lambda: None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls += 1
        self.seen.append(scope)
        number = self.calls
        await asyncio.sleep(0)
        self.meanwhile()
        await send_response(send, self.status, self.headers, b"%d" % number + self.padding)


@pytest.fixture
def detector() -> ManualDetector:
    return ManualDetector()


def cached(app: Any, detector: ManualDetector, max_bytes: int = 100_000) -> ContentVersion:
    return ContentVersion(ResponseCache(app, detector=detector, max_bytes=max_bytes), detector=detector)


def stored(cache: ContentVersion) -> ResponseCache:
    assert isinstance(cache.app, ResponseCache)
    return cache.app


def get(cache: ContentVersion, path: str = PATH, method: str = "GET", query: bytes = b"", **headers: str) -> Response:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return call(cache, {**make_scope(method, path, named), "query_string": query})


def test_a_response_is_stored_and_served_while_nothing_changes(detector: ManualDetector) -> None:
    cache = cached(Application(), detector)
    first, second = get(cache), get(cache)
    assert (first.body, first.headers["x-cache"]) == (b"1", "miss")
    assert (second.body, second.headers["x-cache"]) == (b"1", "hit")
    assert {**first.headers, "x-cache": ""} == {**second.headers, "x-cache": ""}


def test_after_a_commit_a_stored_response_is_not_served(detector: ManualDetector) -> None:
    cache = cached(Application(), detector)
    get(cache)
    detector.now = 2
    assert get(cache).body == b"2"
    assert get(cache).headers["x-cache"] == "hit"


def test_a_response_that_was_computed_during_a_commit_is_not_served_again(detector: ManualDetector) -> None:
    app = Application()
    cache = cached(app, detector)

    def commit() -> None:
        detector.now = 2

    app.meanwhile = commit
    assert get(cache).body == b"1"
    assert get(cache).body == b"2"


def test_nothing_is_served_or_stored_without_a_content_version(detector: ManualDetector) -> None:
    cache = cached(Application(), detector)
    get(cache)
    detector.now = None
    assert get(cache).headers["x-cache"] == "bypass"
    detector.now = 3
    assert get(cache).headers["x-cache"] == "miss"


def test_a_response_expires_at_the_next_scheduled_change(detector: ManualDetector) -> None:
    detector.changes = [time.time() + 0.15, time.time() + 3600]
    cache = cached(Application(), detector)
    assert [get(cache).body for _ in range(3)] == [b"1", b"1", b"1"]
    time.sleep(0.2)
    assert [get(cache).body for _ in range(3)] == [b"2", b"2", b"2"]


def test_a_response_that_was_computed_during_a_scheduled_change_is_not_served_again(detector: ManualDetector) -> None:
    app = Application()
    app.meanwhile = lambda: time.sleep(0.1)
    detector.changes = [time.time() + 0.05]
    cache = cached(app, detector)
    get(cache)
    assert get(cache).body == b"2"


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (404, PUBLIC),
        (302, PUBLIC),
        (500, PUBLIC),
        (200, [(b"Cache-Control", b"private, no-store")]),
        (200, []),
        (200, [*PUBLIC, (b"Set-Cookie", b"a=b")]),
        (200, [(b"Cache-Control", b"public, max-age=0")]),
    ],
)
def test_only_public_successes_are_stored(detector: ManualDetector, status: int, headers: Headers) -> None:
    cache = cached(Application(status, headers), detector)
    assert [get(cache).body for _ in range(2)] == [b"1", b"2"]
    assert not stored(cache).responses


def test_a_permanent_redirect_is_stored(detector: ManualDetector) -> None:
    cache = cached(Application(308), detector)
    assert [get(cache).body for _ in range(2)] == [b"1", b"1"]


def test_requests_with_authorization_bypass_the_cache(detector: ManualDetector) -> None:
    cache = cached(Application(), detector)
    get(cache)
    response = get(cache, Authorization="Bearer x")
    assert (response.body, response.headers["x-cache"]) == (b"2", "bypass")
    assert get(cache).body == b"1"


def test_other_routes_are_not_cached(detector: ManualDetector) -> None:
    response = get(cached(Application(), detector), path="/admin/")
    assert "x-cache" not in response.headers


def test_path_query_host_and_scheme_are_in_the_key(detector: ManualDetector) -> None:
    cache = cached(Application(), detector)
    responses = [
        get(cache),
        get(cache, path=PATH + "/1"),
        get(cache, query=b"limit=1"),
        get(cache, Host="other.example"),
        call(cache, {**make_scope("GET", PATH), "scheme": "https"}),
    ]
    assert [response.body for response in responses] == [b"1", b"2", b"3", b"4", b"5"]


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_an_unsafe_request_marks_a_change_before_its_response(detector: ManualDetector, method: str) -> None:
    cache = cached(Application(), detector)
    marked_before_each_message: list[int] = []

    async def scenario() -> None:
        async def send(message: Any) -> None:
            marked_before_each_message.append(detector.marked)

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        await cache(make_scope(method, PATH), receive, send)

    async_to_sync(scenario)()
    assert min(marked_before_each_message) > 0


def test_head_uses_the_same_stored_response(detector: ManualDetector) -> None:
    cache = cached(Application(), detector)
    head, full = get(cache, method="HEAD"), get(cache)
    assert (head.body, full.body) == (b"", b"1")
    assert head.headers == {**full.headers, "x-cache": "miss"}


def test_a_matching_etag_gets_304_whether_stored_or_not(detector: ManualDetector) -> None:
    app = Application()
    cache = cached(app, detector)
    for tags in ('"1-abc"', 'W/"1-abc"', '"x", "1-abc"', "*"):
        response = get(cache, If_None_Match=tags)
        assert (response.status, response.body, response.headers["etag"]) == (304, b"", '"1-abc"')
        assert "content-type" not in response.headers
    assert get(cache, If_None_Match='"other"').status == 200
    assert app.calls == 1


def test_the_compressed_response_has_its_own_etag(detector: ManualDetector) -> None:
    cache = cached(Application(padding=b"x" * 5000), detector)
    plain = get(cache)
    for _ in range(2):
        gzipped = get(cache, Accept_Encoding="br, gzip")
        assert gzip.decompress(gzipped.body) == plain.body
        assert gzipped.headers["content-length"] == str(len(gzipped.body))
        assert (gzipped.headers["content-encoding"], gzipped.headers["etag"]) == ("gzip", '"1-abc-gzip"')
    assert get(cache, Accept_Encoding="gzip", If_None_Match='"1-abc-gzip"').status == 304
    assert "content-encoding" not in plain.headers


def test_gzip_of_weight_zero_is_not_accepted(detector: ManualDetector) -> None:
    cache = cached(Application(padding=b"x" * 5000), detector)
    for unwanted in ("gzip;q=0", "br, gzip; q=0.000", "gzipped", "identity"):
        assert "content-encoding" not in get(cache, Accept_Encoding=unwanted).headers
    assert get(cache, Accept_Encoding="GZIP;q=0.5").headers["content-encoding"] == "gzip"


def test_a_large_response_is_compressed_too(detector: ManualDetector) -> None:
    cache = cached(Application(padding=b"x" * 200_000), detector, max_bytes=1_000_000)
    assert len(gzip.decompress(get(cache, Accept_Encoding="gzip").body)) == 200_001


def test_a_small_response_is_not_compressed(detector: ManualDetector) -> None:
    assert "content-encoding" not in get(cached(Application(), detector), Accept_Encoding="gzip").headers


def test_memory_is_bounded_and_the_least_recently_used_response_is_evicted(detector: ManualDetector) -> None:
    cache = cached(Application(padding=b"x" * 1000), detector, max_bytes=10_000)
    get(cache, path="/api/kept")
    for number in range(20):
        get(cache, path=f"/api/{number}")
        assert get(cache, path="/api/kept").headers["x-cache"] == "hit"
    assert stored(cache).responses.currsize <= 10_000
    assert get(cache, path="/api/0").headers["x-cache"] == "miss"


def test_a_response_larger_than_the_cache_is_served_and_not_stored(detector: ManualDetector) -> None:
    cache = cached(Application(padding=b"x" * 20_000), detector, max_bytes=10_000)
    assert len(get(cache).body) == 20_001
    assert not stored(cache).responses


def call_together(cache: ContentVersion, count: int) -> list[Response]:
    """The responses to `count` simultaneous requests."""

    async def ask_all() -> list[Response]:
        return list(await asyncio.gather(*(acall(cache, make_scope("GET", PATH)) for _ in range(count))))

    return async_to_sync(ask_all)()


def test_simultaneous_misses_run_once(detector: ManualDetector) -> None:
    app = Application()
    responses = call_together(cached(app, detector), 20)
    assert {response.body for response in responses} == {b"1"}
    assert app.calls == 1


def test_simultaneous_misses_that_cannot_be_stored_all_run(detector: ManualDetector) -> None:
    app = Application(404)
    responses = call_together(cached(app, detector), 20)
    assert {response.status for response in responses} == {404}
    assert app.calls == 20


def test_a_miss_that_fails_releases_the_waiting_requests(detector: ManualDetector) -> None:
    class Failing(Application):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await super().__call__(scope, receive, send)
            if self.calls == 1:
                raise ZeroDivisionError

    cache = cached(Failing(), detector)
    with pytest.raises(ZeroDivisionError):
        get(cache)
    assert not stored(cache).running
    assert get(cache).body == b"2"
