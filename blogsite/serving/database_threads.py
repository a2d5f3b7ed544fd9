"""The threads that talk to the database, each with a connection that stays open.

Under ASGI, Django gives every request a new thread, and therefore a new database connection. Here a few threads live as
long as the server, and each request leases one: asgiref's `ThreadSensitiveContext` runs all its database work there.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import ParamSpec, TypeVar

from asgiref.sync import ThreadSensitiveContext
from django.db import connections

from blogsite.errors import DatabaseLocked, Overloaded
from blogsite.http.routes import ThreadGroup
from blogsite.serving.asgi import App, Message, Receive, Scope, Send, route_of, send_problem

P = ParamSpec("P")
R = TypeVar("R")

LEASES_OF_A_GROUP = 128
SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}  # RFC 9110, 9.2.1


class DatabaseThread(ThreadPoolExecutor):
    """A single thread. The first work of each lease also closes connections that are broken or too old."""

    def __init__(self, name: str) -> None:
        super().__init__(max_workers=1, thread_name_prefix=name)
        self.has_new_lease = True

    def submit(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        if self.has_new_lease:
            self.has_new_lease = False
            return super().submit(_check_connections_and_run, partial(function, *args, **kwargs))
        return super().submit(function, *args, **kwargs)

    def close(self) -> None:
        """Close the thread's connections and end the thread. Blocks until its work is done."""
        super().submit(connections.close_all)
        self.shutdown()


class LeaseQueue:
    """A FIFO queue of idle database threads and of requests waiting for one.

    Each thread is leased to at most `leases_per_thread` requests at the same time.
    """

    def __init__(self, threads: Sequence[DatabaseThread], *, leases_per_thread: int = 1) -> None:
        self.leases = dict.fromkeys(threads, 0)
        self.free_leases = asyncio.Semaphore(len(threads) * leases_per_thread)

    async def lease(self, timeout: float) -> DatabaseThread:  # noqa: ASYNC109 - bounds only the waiting
        """Return the thread with the fewest leases. Raises `TimeoutError` if none is free within `timeout` seconds."""
        async with asyncio.timeout(timeout):
            await self.free_leases.acquire()
        thread = min(self.leases, key=self.leases.__getitem__)
        self.leases[thread] += 1
        return thread

    def give_back(self, thread: DatabaseThread) -> None:
        """End a lease, and let the request that has waited longest have it."""
        self.leases[thread] = self.leases.pop(thread) - 1  # moves the thread to the end: idle threads take turns
        self.free_leases.release()


class DatabaseThreads:
    """Leases a database thread to each request that reaches this layer.

    With `single_writer`, as SQLite requires, unsafe methods share one thread: writers wait here, in order, instead of
    competing for the lock on the file, and readers never wait for writers. A request that waits longer than `timeout`
    seconds gets 503. The response is sent after the lease has ended, so that a slow client does not hold a thread.

    Some unsafe requests spend most of their time on something other than the database, such as hashing a password.
    Each `ThreadGroup` of such requests shares a thread of its own, so that a flood of logins does not keep other
    requests from the database.
    """

    def __init__(self, app: App, *, threads: int, single_writer: bool, timeout: float) -> None:
        self.app = app
        self.timeout = timeout
        self.threads = [DatabaseThread(f"database-{number}") for number in range(threads)]
        self.readers = LeaseQueue(self.threads.copy())
        self.writers = self._queue_of("writer") if single_writer else self.readers
        self.groups: dict[ThreadGroup | None, LeaseQueue] = {
            group: self._queue_of(group.name.lower(), LEASES_OF_A_GROUP) for group in ThreadGroup
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_read = scope["method"] in SAFE_METHODS
        queue = self.readers if is_read else self.groups.get(route_of(scope).thread_group, self.writers)
        try:
            thread = await queue.lease(self.timeout)
        except TimeoutError:
            is_locked = queue is self.writers and queue is not self.readers
            return await send_problem(scope, send, DatabaseLocked() if is_locked else Overloaded())
        response: list[Message] = []

        async def keep(message: Message) -> None:
            response.append(message)

        try:
            thread.has_new_lease = True
            async with ThreadSensitiveContext(executor=thread):
                await self.app(scope, receive, keep)
        finally:
            queue.give_back(thread)
        for message in response:
            await send(message)

    def _queue_of(self, name: str, leases_per_thread: int = 1) -> LeaseQueue:
        thread = DatabaseThread(f"database-{name}")
        self.threads.append(thread)
        return LeaseQueue([thread], leases_per_thread=leases_per_thread)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """On exit, close the connections and end the threads."""
        try:
            yield
        finally:
            for thread in self.threads:
                await asyncio.to_thread(thread.close)


def _check_connections_and_run(work: Callable[[], R]) -> R:
    for connection in connections.all(initialized_only=True):
        connection.close_if_unusable_or_obsolete()
    return work()
