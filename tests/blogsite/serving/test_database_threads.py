"""The database threads and their leases, with applications that the tests provide."""

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection

from blogsite.http.routes import Handler, Route, ThreadGroup
from blogsite.serving.asgi import ROUTE_KEY, App, Receive, Scope, Send, send_response
from blogsite.serving.database_threads import LEASES_OF_A_GROUP, DatabaseThread, DatabaseThreads, LeaseQueue
from tests.blogsite.serving.asgi import Response, acall, call, make_scope


async def name_thread(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the name of the thread that does this request's database work."""
    name = await sync_to_async(lambda: threading.current_thread().name)()
    await send_response(send, 200, [], name.encode())


class BlockingApp:
    """An application whose requests wait until `go` is set."""

    def __init__(self) -> None:
        self.inside = 0
        self.go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.inside += 1
        await self.go.wait()
        self.inside -= 1
        await send_response(send, 200, [])


def make_layer(app: App, timeout: float = 5, threads: int = 2, single_writer: bool = True) -> DatabaseThreads:
    return DatabaseThreads(app, threads=threads, single_writer=single_writer, timeout=timeout)


def run(test: Callable[[], Any]) -> Any:
    return async_to_sync(test)()


def test_writers_share_one_thread_and_readers_use_the_others() -> None:
    layer = make_layer(name_thread)

    async def many() -> list[Response]:
        methods = ["GET", "POST", "HEAD", "PATCH", "OPTIONS", "DELETE"] * 5
        return list(await asyncio.gather(*(acall(layer, make_scope(method)) for method in methods)))

    names = [one.body.decode() for one in run(many)]
    assert set(names[1::2]) == {"database-writer_0"}
    assert set(names[0::2]) == {"database-0_0", "database-1_0"}


def test_without_a_single_writer_all_requests_share_all_threads() -> None:
    layer = make_layer(name_thread, single_writer=False)
    names = {call(layer, make_scope(method)).body for method in ("GET", "POST") * 2}
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

    layer = make_layer(app, threads=1)
    for _ in range(3):
        call(layer, make_scope())
    assert len({id(one) for one in seen}) == 1
    run(close(layer))


@pytest.mark.skipif(connection.vendor == "sqlite", reason="an SQLite connection does not break: set DATABASE_URL")
@pytest.mark.django_db(transaction=True)
def test_a_broken_connection_is_replaced_before_the_next_lease() -> None:
    pids: list[int] = []

    def query() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pids.append(cursor.fetchone()[0])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await sync_to_async(query)()

    layer = make_layer(app, threads=1)
    call(layer, make_scope())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pids[0]])
    call(layer, make_scope())
    assert pids[0] != pids[1]
    run(close(layer))


def close(layer: DatabaseThreads) -> Callable[[], Any]:
    async def closing() -> None:
        async with layer.lifespan():
            pass

    return closing


def test_a_writer_that_waits_too_long_gets_503() -> None:
    async def scenario() -> tuple[Response, Response]:
        app = BlockingApp()
        layer = make_layer(app, timeout=0.05)
        first = asyncio.create_task(acall(layer, make_scope("POST")))
        await asyncio.sleep(0)
        second = await acall(layer, make_scope("POST"))
        app.go.set()
        return await first, second

    first, second = run(scenario)
    assert first.status == 200
    assert (second.status, json.loads(second.body)["code"]) == (503, "database_locked")
    assert second.headers["retry-after"] == "1"


def test_a_flood_of_logins_does_not_block_other_requests() -> None:
    async def scenario() -> tuple[int, int]:
        app = BlockingApp()
        layer = make_layer(app, timeout=0.05, threads=1)
        login = Route("/auth/", Handler.API, thread_group=ThreadGroup.PASSWORDS)
        scopes = [{**make_scope("POST", "/auth/login"), ROUTE_KEY: login} for _ in range(50)]
        logins = [asyncio.create_task(acall(layer, scope)) for scope in scopes]
        await asyncio.sleep(0.01)
        inside = app.inside
        app.go.set()
        written = await acall(layer, make_scope("POST", "/posts"))
        await asyncio.gather(*logins)
        return inside, written.status

    assert run(scenario) == (50, 200)


def test_a_reader_that_waits_too_long_gets_503() -> None:
    async def scenario() -> Response:
        app = BlockingApp()
        layer = make_layer(app, timeout=0.05, threads=1)
        first = asyncio.create_task(acall(layer, make_scope()))
        await asyncio.sleep(0)
        second = await acall(layer, make_scope())
        app.go.set()
        await first
        return second

    assert json.loads(run(scenario).body)["code"] == "overloaded"


def test_waiting_requests_are_served_in_order() -> None:
    order: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        order.append(scope["path"])
        await asyncio.sleep(0.001)

    async def scenario() -> None:
        layer = make_layer(app)
        await asyncio.gather(*(acall(layer, make_scope("POST", str(number))) for number in range(20)))

    run(scenario)
    assert order == [str(number) for number in range(20)]


@pytest.mark.parametrize("wait", [0, 1])
def test_cancelled_requests_return_their_lease(wait: int) -> None:
    """Requests are cancelled before they start (0), or while they hold or wait for a lease (1)."""

    async def scenario() -> tuple[list[int], bool]:
        app = BlockingApp()
        layer = make_layer(app)
        for _ in range(1000):
            tasks = [asyncio.create_task(acall(layer, make_scope())) for _ in range(3)]
            for _ in range(wait):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        app.go.set()
        await acall(layer, make_scope())
        return list(layer.readers.leases.values()), layer.readers.free_leases.locked()

    leases, is_waiting = run(scenario)
    assert (leases, is_waiting) == ([0, 0], False)


@pytest.mark.parametrize("parts", [1, 5])
def test_a_slow_client_holds_no_thread(parts: int) -> None:
    async def in_parts(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(parts):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": number < parts - 1})

    async def scenario() -> int:
        layer = make_layer(in_parts)
        held: list[int] = []

        async def slow_send(message: Any) -> None:
            held.append(sum(layer.readers.leases.values()))

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        await layer(make_scope(), receive, slow_send)
        return max(held)

    assert run(scenario) == 0


def test_at_most_128_requests_of_a_group_run_at_once_and_the_others_wait_or_get_503() -> None:
    async def scenario() -> tuple[int, list[int]]:
        app = BlockingApp()
        layer = make_layer(app, timeout=0.05)
        login = Route("/auth/", Handler.API, thread_group=ThreadGroup.PASSWORDS)
        scopes = [{**make_scope("POST", "/auth/login"), ROUTE_KEY: login} for _ in range(LEASES_OF_A_GROUP + 2)]
        logins = [asyncio.create_task(acall(layer, scope)) for scope in scopes]
        await asyncio.sleep(0.2)
        inside = app.inside
        app.go.set()
        return inside, sorted(response.status for response in await asyncio.gather(*logins))

    assert LEASES_OF_A_GROUP == 128
    assert run(scenario) == (128, [200] * 128 + [503] * 2)


def test_a_lease_passes_to_the_next_waiting_request_when_its_first_waiter_is_cancelled() -> None:
    async def scenario() -> list[str]:
        thread = DatabaseThread("only")
        queue = LeaseQueue([thread])
        served: list[str] = []

        async def wait(name: str) -> None:
            await queue.lease(5)
            served.append(name)

        await queue.lease(5)
        first, second = asyncio.create_task(wait("first")), asyncio.create_task(wait("second"))
        await asyncio.sleep(0)
        queue.give_back(thread)
        first.cancel()  # in the moment in which the lease is its own
        await asyncio.wait([first, second])
        return served

    assert run(scenario) == ["second"]
