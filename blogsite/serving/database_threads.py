"""The threads that talk to the database, each with a connection that stays open.

Django under ASGI gives every request a thread of its own, and so a new database connection. Here a few threads live as
long as the server, and each request leases one: asgiref's `ThreadSensitiveContext` sends all its database work there.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import ParamSpec, TypeVar

from asgiref.sync import ThreadSensitiveContext
from django.db import connections

from blogsite.errors import DatabaseLocked, Overloaded
from blogsite.serving.asgi import App, Message, Receive, Scope, Send, refuse

P = ParamSpec("P")
R = TypeVar("R")

MAX_WAITING = 128
SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}  # RFC 9110, 9.2.1


class DatabaseThread(ThreadPoolExecutor):
    """One thread. The first work of each lease also looks after a connection that broke or grew old."""

    def __init__(self, name: str) -> None:
        super().__init__(max_workers=1, thread_name_prefix=name)
        self.fresh_lease = True

    def submit(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        if self.fresh_lease:
            self.fresh_lease = False
            return super().submit(_with_good_connections, partial(function, *args, **kwargs))
        return super().submit(function, *args, **kwargs)

    def close(self) -> None:
        """Close the thread's connections, and end it when its work is done: waits for that."""
        super().submit(connections.close_all)
        self.shutdown()


class LeaseQueue:
    """The threads that nobody has, and those who wait for one, served in the order in which they came."""

    def __init__(self, threads: Iterable[DatabaseThread]) -> None:
        self.threads = deque(threads)
        self.waiting: deque[asyncio.Future[DatabaseThread]] = deque()

    async def lease(self, timeout: float) -> DatabaseThread:  # noqa: ASYNC109 - for the wait alone
        """Take a thread, within `timeout` seconds. Raises `TimeoutError`."""
        if self.threads:
            return self.threads.popleft()
        turn: asyncio.Future[DatabaseThread] = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            async with asyncio.timeout(timeout):
                return await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.give_back(turn.result())  # it came, and the one who waited was gone
            raise

    def give_back(self, thread: DatabaseThread) -> None:
        """Hand the thread to who has waited longest, or keep it."""
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                return turn.set_result(thread)
        self.threads.append(thread)


class DatabaseThreads:
    """Leases a database thread to each request that gets here.

    With `single_writer`, as SQLite has it, unsafe methods share one thread: writers queue here, in order, instead of
    fighting for the file's lock, and readers never wait for them. Nobody waits longer than `timeout` seconds (503).
    The answer is kept until the lease is over, so that a client that reads slowly holds no thread.

    Some unsafe requests wait long for what is no database, such as the hash of a password. `waiting_paths` are groups
    of the beginnings of their paths. Each group shares one thread of its own, so that a flood of logins keeps nobody
    else from the database.
    """

    def __init__(
        self,
        app: App,
        *,
        threads: int,
        single_writer: bool,
        timeout: float,
        waiting_paths: Iterable[tuple[str, ...]] = (),
    ) -> None:
        self.app = app
        self.timeout = timeout
        self.all = [DatabaseThread(f"database-{number}") for number in range(threads)]
        self.readers = self.writers = LeaseQueue(self.all)
        if single_writer:
            writer = DatabaseThread("database-writer")
            self.all.append(writer)
            self.writers = LeaseQueue([writer])
        self.waiting: list[tuple[tuple[str, ...], LeaseQueue]] = []
        for paths in waiting_paths:
            shared = DatabaseThread(f"database-waiting-{len(self.waiting)}")
            self.all.append(shared)
            self.waiting.append((paths, LeaseQueue([shared] * MAX_WAITING)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        idle = self._idle_for(scope["method"], scope["path"])
        try:
            thread = await idle.lease(self.timeout)
        except TimeoutError:
            locked = idle is self.writers and idle is not self.readers
            return await refuse(scope, send, DatabaseLocked() if locked else Overloaded())
        kept: list[Message] = []

        async def keep(message: Message) -> None:
            kept.append(message)

        try:
            thread.fresh_lease = True
            async with ThreadSensitiveContext(executor=thread):
                await self.app(scope, receive, keep)
        finally:
            idle.give_back(thread)
        for message in kept:
            await send(message)

    def _idle_for(self, method: str, path: str) -> LeaseQueue:
        if method in SAFE_METHODS:
            return self.readers
        return next((idle for paths, idle in self.waiting if path.startswith(paths)), self.writers)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """At the end, close the connections and end the threads."""
        try:
            yield
        finally:
            for thread in self.all:
                await asyncio.to_thread(thread.close)


def _with_good_connections(work: Callable[[], R]) -> R:
    for connection in connections.all(initialized_only=True):
        connection.close_if_unusable_or_obsolete()
    return work()
