"""The API's handler, compared with Django's stock handler."""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import Any

import pytest
from asgiref.sync import SyncToAsync, async_to_sync
from django.db import connection

from blogsite.http.routes import Handler, Route
from blogsite.serving import request_limits
from blogsite.serving.api_handler import APIHandler
from blogsite.serving.asgi import ROUTE_KEY, App, Message, Receive, Scope, Send
from blogsite.serving.content_version import CONTENT_VERSION_KEY
from blogsite.serving.request_limits import IN_MEMORY_BYTES, RequestLimits
from tests.blogsite.serving.asgi import Response, call, make_scope
from tests.client import ROOT, Api, access_token
from tests.factories import make_author, make_post

REQUESTS: list[tuple[str, str, Any]] = [
    ("GET", "/posts", None),
    ("GET", "/posts/999", None),
    ("GET", "/nothing/here", None),
    ("PUT", "/posts", None),
    ("OPTIONS", "/posts", None),
    ("GET", "/openapi.json", None),
    ("POST", "/auth/login", {"username": "nobody", "password": "x"}),
    ("POST", "/auth/login", {"username": 7}),
    ("POST", "/posts", {"title": "T", "content": "C"}),
]


def scope_for(method: str, path: str, body: bytes = b"", **headers: Any) -> Scope:
    named = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    return make_scope(method, ROOT + path, headers=list(named.items()))


def call_handler(app: App, scope: Scope, body: bytes = b"") -> Response:
    """Call `app` as a server does: after the body, `receive` waits until the client disconnects, here for ever."""
    return async_to_sync(acall_handler)(app, scope, body, asyncio.Event())


async def acall_handler(app: App, scope: Scope, body: bytes, disconnect: asyncio.Event) -> Response:
    """Do the same on the running event loop. Setting `disconnect` disconnects the client."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    result = Response()

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await disconnect.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            result.status = message["status"]
            result.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            result.body += message["body"]

    await app(scope, receive, send)
    return result


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
def test_its_responses_are_those_of_djangos_handler(api: Api, method: str, path: str, body: Any) -> None:
    make_post()
    sent = b"" if body is None else json.dumps(body).encode()
    ours = call_handler(APIHandler(), scope_for(method, path, sent), sent)
    stock = api.send(method, path, sent)
    assert (ours.status, ours.body) == (stock.status_code, stock.content)
    for name in ("Content-Type", "ETag", "Cache-Control", "Allow", "WWW-Authenticate"):
        assert ours.headers.get(name) == stock.get(name)


def test_a_url_that_cannot_be_decoded_is_a_problem() -> None:
    scope = {**scope_for("GET", "/posts"), "query_string": "é".encode("latin-1")}
    assert call_handler(APIHandler(), scope).status in (400, 422)


def count_hops(monkeypatch: pytest.MonkeyPatch, request: Callable[[], Response]) -> tuple[Response, int]:
    """Return the response, and the number of thread hops that it took."""
    hops = 0
    call_in_thread = SyncToAsync.__call__

    async def counting(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal hops
        hops += 1
        return await call_in_thread(self, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(SyncToAsync, "__call__", counting)
        return request(), hops


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "hops"),
    [("/posts", 1), ("/posts/{id}", 1), ("/posts/by-slug/{slug}", 1), ("/tags", 1), ("/tags/a", 1), ("/authors", 1)],
)
def test_a_read_takes_one_thread_hop(monkeypatch: pytest.MonkeyPatch, path: str, hops: int) -> None:
    post = make_post(tags=["a"])
    scope = scope_for("GET", path.format(id=post.pk, slug=post.slug))
    response, counted = count_hops(monkeypatch, lambda: call_handler(APIHandler(), scope))
    assert (response.status, counted) == (200, hops)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite detects every commit")
@pytest.mark.django_db
def test_a_read_of_a_known_user_takes_one_thread_hop(monkeypatch: pytest.MonkeyPatch) -> None:
    post = make_post()
    token = f"Bearer {access_token(post.author)}"
    counted = []
    for version in (101, 101, 102):
        scope = {**scope_for("GET", f"/posts/{post.pk}", Authorization=token), CONTENT_VERSION_KEY: version}
        counted.append(count_hops(monkeypatch, partial(call_handler, APIHandler(), scope))[1])
    assert counted == [2, 1, 2]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/posts", {"title": "T", "content": "C"}),
        ("PATCH", "/posts/{id}", {"title": "T"}),
        ("POST", "/posts/{id}/publish", None),
        ("POST", "/posts/{id}/unpublish", None),
        ("DELETE", "/posts/{id}", None),
    ],
)
def test_a_write_takes_two_thread_hops_at_most(
    monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: Any
) -> None:
    author = make_author()
    post = make_post(author=author)
    sent = b"" if body is None else json.dumps(body).encode()
    token = f"Bearer {access_token(author)}"
    scope = scope_for(method, path.format(id=post.pk), sent, Authorization=token)
    response, counted = count_hops(monkeypatch, lambda: call_handler(APIHandler(), scope, sent))
    assert response.status in (200, 201, 204)
    assert counted <= 2


@pytest.mark.django_db
def test_no_middleware_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        pytest.fail("A middleware was loaded")

    monkeypatch.setattr("django.middleware.common.CommonMiddleware.__init__", refuse)
    assert call_handler(APIHandler(), scope_for("GET", "/posts")).status == 200


def test_the_view_is_cancelled_when_the_client_disconnects(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome: list[str] = []

    async def scenario() -> Response:
        disconnect = asyncio.Event()
        handler = APIHandler()

        async def view(request: Any) -> Any:
            disconnect.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                outcome.append("cancelled")
                raise

        monkeypatch.setattr(handler, "get_response_async", view)
        return await acall_handler(handler, scope_for("GET", "/posts"), b"", disconnect)

    assert async_to_sync(scenario)() == Response()
    assert outcome == ["cancelled"]


def test_a_cancellation_by_the_server_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        handler = APIHandler()
        inside = asyncio.Event()

        async def view(request: Any) -> Any:
            inside.set()
            await asyncio.sleep(60)

        monkeypatch.setattr(handler, "get_response_async", view)
        messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Message:
            if messages:
                return messages.pop()
            await asyncio.sleep(60)
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            pytest.fail("A response was sent")

        task = asyncio.create_task(handler(scope_for("GET", "/posts"), receive, send))
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async_to_sync(scenario)()


@pytest.mark.django_db
def test_a_transaction_survives_the_request(api: Api) -> None:
    """No signal of the stock handler closes the connection that a persistent thread, or a test, still uses."""
    before = connection.connection
    call_handler(APIHandler(), scope_for("GET", "/posts"))
    assert connection.connection is before


class TestBody:
    """A body is written once before Django reads it: `APIHandler` takes over the file of `RequestLimits`."""

    CONTENT = json.dumps({"username": "x" * (IN_MEMORY_BYTES + 1), "password": "x"}).encode()

    @pytest.fixture
    def written(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """The number of bytes that each layer writes into a file."""
        sizes: list[int] = []

        class CountingFile(SpooledTemporaryFile[bytes]):
            def write(self, data: Any) -> int:
                sizes.append(len(data))
                return super().write(data)

        monkeypatch.setattr(request_limits, "SpooledTemporaryFile", CountingFile)
        monkeypatch.setattr("django.core.handlers.asgi.tempfile.SpooledTemporaryFile", CountingFile)
        return sizes

    @pytest.fixture
    def scope(self) -> Scope:
        scope = scope_for("POST", "/auth/login", self.CONTENT)
        return {**scope, ROUTE_KEY: Route("/", Handler.API, max_body_bytes=len(self.CONTENT))}

    def test_behind_request_limits_it_is_written_once(self, written: list[int], scope: Scope) -> None:
        app = RequestLimits(APIHandler(), timeout=5)
        assert call_handler(app, scope, self.CONTENT).status == 422
        assert sum(written) == len(self.CONTENT)

    def test_without_request_limits_it_is_read_from_the_server(self, written: list[int], scope: Scope) -> None:
        assert call_handler(APIHandler(), scope, self.CONTENT).status == 422
        assert sum(written) == len(self.CONTENT)

    def test_a_client_that_disconnects_before_its_end_gets_no_response(self, scope: Scope) -> None:
        first_part: Message = {"type": "http.request", "body": self.CONTENT[:9], "more_body": True}
        assert call(APIHandler(), scope, [first_part]) == Response()

    def test_the_stock_handler_receives_it_in_parts(self, written: list[int], scope: Scope) -> None:
        received = b""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            nonlocal received
            has_more = True
            while has_more:
                message = await receive()
                received += message["body"]
                has_more = message["more_body"]

        call_handler(RequestLimits(app, timeout=5), scope, self.CONTENT)
        assert received == self.CONTENT

    def test_after_it_a_disconnect_still_cancels_the_view(self, monkeypatch: pytest.MonkeyPatch, scope: Scope) -> None:
        outcome: list[bytes | str] = []

        async def scenario() -> None:
            disconnect = asyncio.Event()
            handler = APIHandler()

            async def view(request: Any) -> Any:
                outcome.append(request.body)
                disconnect.set()
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    outcome.append("cancelled")
                    raise

            monkeypatch.setattr(handler, "get_response_async", view)
            await acall_handler(RequestLimits(handler, timeout=5), scope, self.CONTENT, disconnect)

        async_to_sync(scenario)()
        assert outcome == [self.CONTENT, "cancelled"]
