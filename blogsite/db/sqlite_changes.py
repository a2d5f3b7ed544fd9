"""Whether the SQLite database has changed, told by SQLite itself."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

# Stored by Django as text in UTC, which sorts as the times do.
_FORMAT = "%Y-%m-%d %H:%M:%S.%f"


class SQLiteChangeDetector:
    """`PRAGMA data_version` on a connection of the event loop's own, which never writes.

    The value changes whenever any other connection commits: in this process or another, the admin, `manage.py`, the
    `sqlite3` shell (https://sqlite.org/pragma.html#pragma_data_version). It takes about 5 microseconds, less than any
    hop to a thread, so it is asked on the loop.

    It is asked once for all requests that run in the same pass of the loop. All of them had been received before the
    pass began, since a server starts each in a task of its own, and a task begins in the pass after its making. So
    the answer is newer than each of them. What is received later runs behind `_forget`, which was queued before it.
    """

    def __init__(self, path: str, *, next_change: str) -> None:
        """`next_change` is the SQL of the first moment behind its one parameter at which time changes an answer."""
        self.path = path
        self.next_change_sql = next_change.replace("%s", "?")
        self._connection: sqlite3.Connection | None = None
        self._cursor: sqlite3.Cursor | None = None
        self._asked = False
        self._version: int | None = None

    def version(self) -> int | None:
        if not self._asked:
            self._asked = True
            self._version = self._ask()
            asyncio.get_running_loop().call_soon(self._forget)
        return self._version

    def _forget(self) -> None:
        self._asked = False

    def _ask(self) -> int | None:
        try:
            cursor = self._cursor or self._connect()
            row: tuple[int] = cursor.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            return None  # locked for good, or gone: nothing is provable
        return row[0]

    def mark_changed(self) -> None:
        """SQLite sees the writes of this process as it sees all others."""

    async def next_change(self, after: datetime) -> datetime | None:
        row: tuple[str | None]
        row = (self._cursor or self._connect()).execute(self.next_change_sql, [after.strftime(_FORMAT)]).fetchone()
        return datetime.fromisoformat(f"{row[0]}+00:00") if row[0] else None

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """At the end, close the connection."""
        try:
            yield
        finally:
            if self._connection is not None:
                self._connection.close()
                self._connection = self._cursor = None

    def _connect(self) -> sqlite3.Cursor:
        # No timeout: the event loop must not wait for anybody.
        self._connection = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA query_only = 1")
        self._cursor = self._connection.cursor()
        return self._cursor
