"""The API's own handler, held against what Django's does."""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from asgiref.sync import SyncToAsync, async_to_sync
from django.db import connection

from blogsite.serving.api_handler import APIHandler
from blogsite.serving.asgi import App, Message, Scope
from blogsite.serving.content_version import VERSION
from tests.blogsite.serving.asgi import Answer, scope_of
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
    return scope_of(method, ROOT + path, headers=list(named.items()))


def through_ours(app: App, scope: Scope, body: bytes = b"", hang_up: asyncio.Event | None = None) -> Answer:
    """Ask as a server does: behind the body, `receive` waits until the client hangs up."""

    async def asked() -> Answer:
        result = Answer()
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            if messages:
                return messages.pop()
            await (hang_up or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                result.status = message["status"]
                result.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                result.body += message["body"]

        await app(scope, receive, send)
        return result

    return async_to_sync(asked)()


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
def test_it_answers_as_djangos_handler_does(api: Api, method: str, path: str, body: Any) -> None:
    make_post()
    sent = b"" if body is None else json.dumps(body).encode()
    ours = through_ours(APIHandler(), scope_for(method, path, sent), sent)
    stock = api.send(method, path, sent)
    assert (ours.status, ours.body) == (stock.status_code, stock.content)
    for name in ("Content-Type", "ETag", "Cache-Control", "Allow", "WWW-Authenticate"):
        assert ours.headers.get(name) == stock.get(name)


def test_an_address_that_cannot_be_read_is_a_problem() -> None:
    scope = {**scope_for("GET", "/posts"), "query_string": "é".encode("latin-1")}
    assert through_ours(APIHandler(), scope).status in (400, 422)


def count_hops(monkeypatch: pytest.MonkeyPatch, ask: Callable[[], Answer]) -> tuple[Answer, int]:
    """The answer, and how often the event loop went to a thread for it."""
    hops = 0
    call = SyncToAsync.__call__

    async def counting(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal hops
        hops += 1
        return await call(self, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(SyncToAsync, "__call__", counting)
        return ask(), hops


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "hops"),
    [("/posts", 1), ("/posts/{id}", 1), ("/posts/by-slug/{slug}", 1), ("/tags", 1), ("/tags/a", 1), ("/authors", 1)],
)
def test_a_read_takes_one_hop_to_the_database(monkeypatch: pytest.MonkeyPatch, path: str, hops: int) -> None:
    post = make_post(tags=["a"])
    scope = scope_for("GET", path.format(id=post.pk, slug=post.slug))
    answer, counted = count_hops(monkeypatch, lambda: through_ours(APIHandler(), scope))
    assert (answer.status, counted) == (200, hops)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite proves its version to the commit")
@pytest.mark.django_db
def test_a_read_by_a_known_user_takes_one_hop(monkeypatch: pytest.MonkeyPatch) -> None:
    post = make_post()
    token = f"Bearer {access_token(post.author)}"
    counted = []
    for version in (101, 101, 102):
        scope = {**scope_for("GET", f"/posts/{post.pk}", Authorization=token), VERSION: version}
        counted.append(count_hops(monkeypatch, partial(through_ours, APIHandler(), scope))[1])
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
def test_a_write_takes_two_hops_at_most(monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: Any) -> None:
    author = make_author()
    post = make_post(author=author)
    sent = b"" if body is None else json.dumps(body).encode()
    token = f"Bearer {access_token(author)}"
    scope = scope_for(method, path.format(id=post.pk), sent, Authorization=token)
    answer, counted = count_hops(monkeypatch, lambda: through_ours(APIHandler(), scope, sent))
    assert answer.status in (200, 201, 204)
    assert counted <= 2


@pytest.mark.django_db
def test_it_loads_no_middleware(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        pytest.fail("A middleware was loaded")

    monkeypatch.setattr("django.middleware.common.CommonMiddleware.__init__", refuse)
    assert through_ours(APIHandler(), scope_for("GET", "/posts")).status == 200


def test_the_view_is_cancelled_when_the_client_hangs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome: list[str] = []

    async def scenario() -> None:
        hang_up = asyncio.Event()
        handler = APIHandler()

        async def view(request: Any) -> Any:
            hang_up.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                outcome.append("cancelled")
                raise

        monkeypatch.setattr(handler, "get_response_async", view)
        messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Message:
            if messages:
                return messages.pop()
            await hang_up.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            outcome.append("sent")

        await handler(scope_for("GET", "/posts"), receive, send)

    async_to_sync(scenario)()
    assert outcome == ["cancelled"]


def test_a_server_that_shuts_down_cancels_the_request_and_hears_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
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
            pytest.fail("Nothing is to be sent")

        task = asyncio.create_task(handler(scope_for("GET", "/posts"), receive, send))
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async_to_sync(scenario)()


@pytest.mark.django_db
def test_a_transaction_survives_the_request(api: Api) -> None:
    """No signal of the stock handler closes the connection under the tests, or under a persistent thread."""
    before = connection.connection
    through_ours(APIHandler(), scope_for("GET", "/posts"))
    assert connection.connection is before
