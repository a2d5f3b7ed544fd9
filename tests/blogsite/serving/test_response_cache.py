"""The exact response cache, alone: with an application and a detector that the test moves."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from blogsite.serving.asgi import Headers, Receive, Scope, Send, answer
from blogsite.serving.content_version import ContentVersion
from blogsite.serving.response_cache import ResponseCache
from tests.blogsite.serving.asgi import Answer, ask, ask_async, scope_of

PUBLIC: Headers = [(b"Cache-Control", b"public, max-age=0"), (b"ETag", b'"1-abc"'), (b"Content-Type", b"text/plain")]
PATH = "/api/v1/posts"


class ManualDetector:
    """A detector that stands still until it is set."""

    def __init__(self) -> None:
        self.now: int | None = 1
        self.changes: list[float] = []
        self.touched = 0

    def version(self) -> int | None:
        return self.now

    def mark_changed(self) -> None:
        self.touched += 1

    async def next_change(self, after: datetime) -> datetime | None:
        later = [moment for moment in self.changes if moment > after.timestamp()]
        return datetime.fromtimestamp(min(later), UTC) if later else None

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        yield


class Application:
    """Answers with how many requests it has answered, and `padding`."""

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
        await answer(send, self.status, self.headers, b"%d" % number + self.padding)


@pytest.fixture
def detector() -> ManualDetector:
    return ManualDetector()


def cached(app: Any, detector: ManualDetector, max_bytes: int = 100_000) -> ContentVersion:
    return ContentVersion(
        ResponseCache(app, detector=detector, max_bytes=max_bytes), detector=detector, paths=("/api/",)
    )


def stored(cache: ContentVersion) -> ResponseCache:
    assert isinstance(cache.app, ResponseCache)
    return cache.app


def get(cache: ContentVersion, path: str = PATH, method: str = "GET", query: bytes = b"", **headers: str) -> Answer:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return ask(cache, {**scope_of(method, path, named), "query_string": query})


def test_an_answer_is_stored_and_served_while_nothing_changes(detector: ManualDetector) -> None:
    cache = cached(Application(), detector)
    first, second = get(cache), get(cache)
    assert (first.body, first.headers["x-cache"]) == (b"1", "miss")
    assert (second.body, second.headers["x-cache"]) == (b"1", "hit")
    assert {**first.headers, "x-cache": ""} == {**second.headers, "x-cache": ""}


def test_after_a_commit_it_is_not_served_again(detector: ManualDetector) -> None:
    cache = cached(Application(), detector)
    get(cache)
    detector.now = 2
    assert get(cache).body == b"2"
    assert get(cache).headers["x-cache"] == "hit"


def test_an_answer_that_was_made_while_a_commit_happened_is_never_served_again(detector: ManualDetector) -> None:
    app = Application()
    cache = cached(app, detector)

    def commit() -> None:
        detector.now = 2

    app.meanwhile = commit
    assert get(cache).body == b"1"
    assert get(cache).body == b"2"


def test_nothing_is_served_or_stored_while_nothing_can_be_proven(detector: ManualDetector) -> None:
    cache = cached(Application(), detector)
    get(cache)
    detector.now = None
    assert get(cache).headers["x-cache"] == "bypass"
    detector.now = 3
    assert get(cache).headers["x-cache"] == "miss"


def test_an_answer_ends_when_something_scheduled_comes(detector: ManualDetector) -> None:
    detector.changes = [time.time() + 0.15, time.time() + 3600]
    cache = cached(Application(), detector)
    assert [get(cache).body for _ in range(3)] == [b"1", b"1", b"1"]
    time.sleep(0.2)
    assert [get(cache).body for _ in range(3)] == [b"2", b"2", b"2"]


def test_an_answer_that_something_scheduled_overtook_is_not_served_again(detector: ManualDetector) -> None:
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
def test_what_is_not_a_public_success_is_not_stored(detector: ManualDetector, status: int, headers: Headers) -> None:
    cache = cached(Application(status, headers), detector)
    assert [get(cache).body for _ in range(2)] == [b"1", b"2"]
    assert not stored(cache).entries


def test_a_permanent_redirect_is_stored(detector: ManualDetector) -> None:
    cache = cached(Application(308), detector)
    assert [get(cache).body for _ in range(2)] == [b"1", b"1"]


def test_requests_of_users_pass_by(detector: ManualDetector) -> None:
    cache = cached(Application(), detector)
    get(cache)
    answer = get(cache, Authorization="Bearer x")
    assert (answer.body, answer.headers["x-cache"]) == (b"2", "bypass")
    assert get(cache).body == b"1"


def test_other_paths_are_left_alone(detector: ManualDetector) -> None:
    answer = get(cached(Application(), detector), path="/admin/")
    assert "x-cache" not in answer.headers


def test_path_query_host_and_scheme_tell_answers_apart(detector: ManualDetector) -> None:
    cache = cached(Application(), detector)
    answers = [
        get(cache),
        get(cache, path=PATH + "/1"),
        get(cache, query=b"limit=1"),
        get(cache, Host="other.example"),
        ask(cache, {**scope_of("GET", PATH), "scheme": "https"}),
    ]
    assert [answer.body for answer in answers] == [b"1", b"2", b"3", b"4", b"5"]


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_a_write_of_this_process_moves_the_clock(detector: ManualDetector, method: str) -> None:
    cache = cached(Application(), detector)
    touched_before_the_answer: list[int] = []

    async def scenario() -> None:
        async def send(message: Any) -> None:
            touched_before_the_answer.append(detector.touched)

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        await cache(scope_of(method, PATH), receive, send)

    async_to_sync(scenario)()
    assert min(touched_before_the_answer) > 0


def test_head_is_answered_from_the_same_entry(detector: ManualDetector) -> None:
    cache = cached(Application(), detector)
    asked, got = get(cache, method="HEAD"), get(cache)
    assert (asked.body, got.body) == (b"", b"1")
    assert asked.headers == {**got.headers, "x-cache": "miss"}


def test_who_has_the_answer_gets_304_with_or_without_an_entry(detector: ManualDetector) -> None:
    app = Application()
    cache = cached(app, detector)
    for tags in ('"1-abc"', 'W/"1-abc"', '"x", "1-abc"', "*"):
        answer = get(cache, If_None_Match=tags)
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", '"1-abc"')
        assert "content-type" not in answer.headers
    assert get(cache, If_None_Match='"other"').status == 200
    assert app.calls == 1


def test_the_compressed_copy_is_another_representation(detector: ManualDetector) -> None:
    cache = cached(Application(padding=b"x" * 5000), detector)
    plain = get(cache)
    for _ in range(2):
        zipped = get(cache, Accept_Encoding="br, gzip")
        assert gzip.decompress(zipped.body) == plain.body
        assert zipped.headers["content-length"] == str(len(zipped.body))
        assert (zipped.headers["content-encoding"], zipped.headers["etag"]) == ("gzip", '"1-abc-gzip"')
    assert get(cache, Accept_Encoding="gzip", If_None_Match='"1-abc-gzip"').status == 304
    assert "content-encoding" not in plain.headers


def test_gzip_of_weight_zero_is_not_wanted(detector: ManualDetector) -> None:
    cache = cached(Application(padding=b"x" * 5000), detector)
    for unwanted in ("gzip;q=0", "br, gzip; q=0.000", "gzipped", "identity"):
        assert "content-encoding" not in get(cache, Accept_Encoding=unwanted).headers
    assert get(cache, Accept_Encoding="GZIP;q=0.5").headers["content-encoding"] == "gzip"


def test_a_large_answer_is_compressed_too(detector: ManualDetector) -> None:
    cache = cached(Application(padding=b"x" * 200_000), detector, max_bytes=1_000_000)
    assert len(gzip.decompress(get(cache, Accept_Encoding="gzip").body)) == 200_001


def test_a_small_answer_is_not_compressed(detector: ManualDetector) -> None:
    assert "content-encoding" not in get(cached(Application(), detector), Accept_Encoding="gzip").headers


def test_memory_is_bounded_and_what_was_not_asked_for_goes_first(detector: ManualDetector) -> None:
    cache = cached(Application(padding=b"x" * 1000), detector, max_bytes=10_000)
    get(cache, path="/api/kept")
    for number in range(20):
        get(cache, path=f"/api/{number}")
        assert get(cache, path="/api/kept").headers["x-cache"] == "hit"
    assert stored(cache).entries.currsize <= 10_000
    assert get(cache, path="/api/0").headers["x-cache"] == "miss"


def test_an_answer_larger_than_the_cache_is_served_and_not_stored(detector: ManualDetector) -> None:
    cache = cached(Application(padding=b"x" * 20_000), detector, max_bytes=10_000)
    assert len(get(cache).body) == 20_001
    assert not stored(cache).entries


def together(cache: ContentVersion, count: int) -> list[Answer]:
    """The answers to `count` simultaneous requests."""

    async def ask_all() -> list[Answer]:
        return list(await asyncio.gather(*(ask_async(cache, scope_of("GET", PATH)) for _ in range(count))))

    return async_to_sync(ask_all)()


def test_simultaneous_misses_run_once(detector: ManualDetector) -> None:
    app = Application()
    answers = together(cached(app, detector), 20)
    assert {answer.body for answer in answers} == {b"1"}
    assert app.calls == 1


def test_simultaneous_misses_that_cannot_be_stored_all_run(detector: ManualDetector) -> None:
    app = Application(404)
    answers = together(cached(app, detector), 20)
    assert {answer.status for answer in answers} == {404}
    assert app.calls == 20


def test_a_miss_that_fails_sets_its_twins_free(detector: ManualDetector) -> None:
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
