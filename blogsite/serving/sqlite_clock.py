"""Whether the SQLite database has changed, told by SQLite itself."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

# Stored by Django as text in UTC, which sorts as the times do.
_FORMAT = "%Y-%m-%d %H:%M:%S.%f"


class SQLiteClock:
    """`PRAGMA data_version` on a connection of the event loop's own, which never writes.

    The value changes whenever any other connection commits: in this process or another, the admin, `manage.py`, the
    `sqlite3` shell (https://sqlite.org/pragma.html#pragma_data_version). It takes about 3 microseconds, less than any
    hop to a thread, so it is asked on the loop.
    """

    def __init__(self, path: str, *, next_change: str) -> None:
        """`next_change` is the SQL of the first moment behind its one parameter at which time changes an answer."""
        self.path = path
        self.next_change_sql = next_change.replace("%s", "?")
        self._connection: sqlite3.Connection | None = None

    def version(self) -> int | None:
        try:
            row: tuple[int] = self._connected().execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            return None  # locked for good, or gone: nothing is provable
        return row[0]

    def touch(self) -> None:
        """SQLite sees the writes of this process as it sees all others."""

    async def next_change(self, after: datetime) -> datetime | None:
        row: tuple[str | None]
        row = self._connected().execute(self.next_change_sql, [after.strftime(_FORMAT)]).fetchone()
        return datetime.fromisoformat(f"{row[0]}+00:00") if row[0] else None

    @asynccontextmanager
    async def lifetime(self) -> AsyncIterator[None]:
        """At the end, close the connection."""
        yield
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> Any:
        if self._connection is None:
            # No timeout: the event loop must not wait for anybody.
            self._connection = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA query_only = 1")
        return self._connection
