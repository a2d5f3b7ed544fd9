"""Leased database threads, alone."""

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection

from blogsite.serving.asgi import App, Receive, Scope, Send, answer
from blogsite.serving.database_threads import DatabaseThreads
from tests.blogsite.serving.asgi import Answer, ask, ask_async, scope_of


async def name_thread(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the thread that does this request's database work."""
    name = await sync_to_async(lambda: threading.current_thread().name)()
    await answer(send, 200, [], name.encode())


class Held:
    """An application whose requests stay until they are let go."""

    def __init__(self) -> None:
        self.inside = 0
        self.go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.inside += 1
        await self.go.wait()
        self.inside -= 1
        await answer(send, 200, [])


def leased(app: App, timeout: float = 5, threads: int = 2, single_writer: bool = True) -> DatabaseThreads:
    return DatabaseThreads(app, threads=threads, single_writer=single_writer, timeout=timeout)


def run(test: Callable[[], Any]) -> Any:
    return async_to_sync(test)()


def test_all_writers_share_one_thread_and_readers_have_others() -> None:
    layer = leased(name_thread)

    async def many() -> list[Answer]:
        methods = ["GET", "POST", "HEAD", "PATCH", "OPTIONS", "DELETE"] * 5
        return list(await asyncio.gather(*(ask_async(layer, scope_of(method)) for method in methods)))

    names = [one.body.decode() for one in run(many)]
    assert set(names[1::2]) == {"database-writer_0"}
    assert set(names[0::2]) == {"database-0_0", "database-1_0"}


def test_without_a_single_writer_all_share_all_threads() -> None:
    layer = leased(name_thread, single_writer=False)
    names = {ask(layer, scope_of(method)).body for method in ("GET", "POST") * 2}
    assert names == {b"database-0_0", b"database-1_0"}


@pytest.mark.skipif(connection.vendor != "sqlite", reason="on PostgreSQL, psycopg's pool keeps the connections")
@pytest.mark.django_db(transaction=True)
def test_the_connection_of_a_thread_stays_open() -> None:
    seen = []

    def query() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        seen.append(connection.connection)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await sync_to_async(query)()

    layer = leased(app, threads=1)
    for _ in range(3):
        ask(layer, scope_of())
    assert len({id(one) for one in seen}) == 1
    run(close(layer))


@pytest.mark.skipif(connection.vendor == "sqlite", reason="an SQLite connection does not break: set DATABASE_URL")
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_broke_is_replaced_before_the_next_lease() -> None:
    pids: list[int] = []

    def query() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pids.append(cursor.fetchone()[0])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await sync_to_async(query)()

    layer = leased(app, threads=1)
    ask(layer, scope_of())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pids[0]])
    ask(layer, scope_of())
    assert pids[0] != pids[1]
    run(close(layer))


def close(layer: DatabaseThreads) -> Callable[[], Any]:
    async def closing() -> None:
        async with layer.lifespan():
            pass

    return closing


def test_who_waits_too_long_is_told_to_come_back() -> None:
    async def scenario() -> tuple[Answer, Answer]:
        app = Held()
        layer = leased(app, timeout=0.05)
        first = asyncio.create_task(ask_async(layer, scope_of("POST")))
        await asyncio.sleep(0)
        second = await ask_async(layer, scope_of("POST"))
        app.go.set()
        return await first, second

    first, second = run(scenario)
    assert first.status == 200
    assert (second.status, json.loads(second.body)["code"]) == (503, "database_locked")
    assert second.headers["retry-after"] == "1"


def test_who_waits_for_something_else_holds_up_nobody() -> None:
    async def scenario() -> tuple[int, int]:
        app = Held()
        layer = DatabaseThreads(app, threads=1, single_writer=True, timeout=0.05, waiting_paths=[("/auth/",)])
        logins = [asyncio.create_task(ask_async(layer, scope_of("POST", "/auth/login"))) for _ in range(50)]
        await asyncio.sleep(0.01)
        inside = app.inside
        app.go.set()
        written = await ask_async(layer, scope_of("POST", "/posts"))
        await asyncio.gather(*logins)
        return inside, written.status

    assert run(scenario) == (50, 200)


def test_who_finds_no_reader_is_told_of_overload() -> None:
    async def scenario() -> Answer:
        app = Held()
        layer = leased(app, timeout=0.05, threads=1)
        first = asyncio.create_task(ask_async(layer, scope_of()))
        await asyncio.sleep(0)
        second = await ask_async(layer, scope_of())
        app.go.set()
        await first
        return second

    assert json.loads(run(scenario).body)["code"] == "overloaded"


def test_those_who_wait_are_served_in_their_order() -> None:
    order: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        order.append(scope["path"])
        await asyncio.sleep(0.001)

    async def scenario() -> None:
        layer = leased(app)
        await asyncio.gather(*(ask_async(layer, scope_of("POST", str(number))) for number in range(20)))

    run(scenario)
    assert order == [str(number) for number in range(20)]


@pytest.mark.parametrize("wait", [0, 1])
def test_clients_that_hang_up_give_their_lease_back(wait: int) -> None:
    """Before their turn (0) or in the middle of it (1)."""

    async def scenario() -> tuple[int, int]:
        app = Held()
        layer = leased(app)
        for _ in range(1000):
            tasks = [asyncio.create_task(ask_async(layer, scope_of())) for _ in range(3)]
            for _ in range(wait):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        app.go.set()
        await ask_async(layer, scope_of())
        return len(layer.readers.threads), len(layer.readers.waiting)

    threads, waiting = run(scenario)
    assert (threads, waiting) == (2, 0)


@pytest.mark.parametrize("parts", [1, 5])
def test_a_client_that_reads_slowly_holds_no_thread(parts: int) -> None:
    async def in_parts(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(parts):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": number < parts - 1})

    async def scenario() -> int:
        layer = leased(in_parts)
        held: list[int] = []

        async def slow_send(message: Any) -> None:
            held.append(len(layer.readers.threads))

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        await layer(scope_of(), receive, slow_send)
        return min(held)

    assert run(scenario) == 2
