"""Detects changes of the SQLite database with `PRAGMA data_version`."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

# Django stores times as text in UTC, whose order is the order of the times.
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S.%f"


class SQLiteChangeDetector:
    """Runs `PRAGMA data_version` on a connection that belongs to the event loop and never writes.

    The value changes whenever any other connection commits, in this process or another: the admin site, `manage.py`,
    the `sqlite3` shell (https://sqlite.org/pragma.html#pragma_data_version). It takes about 5 microseconds, less than
    a thread hop, so it runs on the event loop.

    The value is read once for all requests that start in the same iteration of the event loop. All of them were
    received before that iteration began, because a server starts a task for each request, and a task starts in the
    iteration after its creation. So the value is newer than each of these requests. A request that is received later
    starts after `_forget`, which was scheduled earlier.
    """

    def __init__(self, path: str, *, next_change: str) -> None:
        """`next_change` is the SQL query of the first scheduled publication after the time that is its parameter."""
        self.path = path
        self.next_change_sql = next_change.replace("%s", "?")
        self._cursor: sqlite3.Cursor | None = None
        self._is_current = False
        self._version: int | None = None

    def version(self) -> int | None:
        if not self._is_current:
            self._is_current = True
            self._version = self._read_version()
            asyncio.get_running_loop().call_soon(self._forget)
        return self._version

    def _forget(self) -> None:
        self._is_current = False

    def _read_version(self) -> int | None:
        try:
            cursor = self._cursor or self._connect()
            row: tuple[int] = cursor.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            return None  # the database is locked or missing
        return row[0]

    def mark_changed(self) -> None:
        """Do nothing: `data_version` also changes after the writes of this process."""

    async def next_change(self, after: datetime) -> datetime | None:
        cursor = self._cursor or self._connect()
        row: tuple[str | None] = cursor.execute(self.next_change_sql, [after.strftime(_TIME_FORMAT)]).fetchone()
        return datetime.fromisoformat(f"{row[0]}+00:00") if row[0] else None

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """On exit, close the connection."""
        try:
            yield
        finally:
            if self._cursor is not None:
                self._cursor.connection.close()
                self._cursor = None

    def _connect(self) -> sqlite3.Cursor:
        # No timeout: the event loop must not wait for a lock.
        connection = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        self._cursor = connection.execute("PRAGMA query_only = 1")
        return self._cursor
