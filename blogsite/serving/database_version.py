"""Which version of the database a request began with."""

from collections.abc import Awaitable, Hashable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from django.db import connection

from blogsite.serving import App, Message, Receive, Scope, Send
from blogsite.serving.database_threads import SAFE_METHODS
from blogsite.serving.sqlite_clock import SQLiteClock

VERSION = "database_version"


class Clock(Protocol):
    """Tells whether the database has changed."""

    def version(self) -> Hashable | None:
        """A value that is another after every commit; None while nothing can be proven."""

    def touch(self) -> None:
        """This process may have written."""

    async def next_change(self, after: datetime) -> datetime | None:
        """The first moment after `after` at which time alone changes what is public; None if there is none."""

    def lifetime(self) -> AbstractAsyncContextManager[None]:
        """What must be open while the clock is asked."""


def database_clock(*, next_change: str) -> Clock:
    """The clock of the database that the settings name. `next_change` is SQL, with the moment before as parameter."""
    if connection.vendor == "sqlite":
        return SQLiteClock(str(connection.settings_dict["NAME"]), next_change=next_change)
    from blogsite.serving.postgresql_clock import PostgreSQLClock  # psycopg is an extra

    return PostgreSQLClock(next_change=next_change)


class DatabaseVersion:
    """Writes the clock's version into the scope of each request below `paths`, before anything of it runs.

    What is read from the database afterwards is at least as new, so it may be kept under that version, and be used
    for requests that begin with the same one.
    """

    def __init__(self, app: App, *, clock: Clock, paths: tuple[str, ...]) -> None:
        self.app = app
        self.clock = clock
        self.paths = paths

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["path"].startswith(self.paths):
            scope[VERSION] = self.clock.version()
        return (self.app if scope["method"] in SAFE_METHODS else self._write)(scope, receive, send)

    async def _write(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_after_touch(message: Message) -> None:
            self.clock.touch()
            await send(message)

        try:
            await self.app(scope, receive, send_after_touch)
        finally:
            self.clock.touch()
