"""Detects changes of the PostgreSQL database through notifications from its triggers."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import psycopg
from asgiref.sync import sync_to_async
from django.db import connection

CHANNEL = "blogsite_changed"
RETRY_SECONDS = 1.0

logger = logging.getLogger(__name__)


class PostgreSQLChangeDetector:
    """A counter that increases when a commit notifies `CHANNEL`. One connection of each process listens.

    Without that connection there is no version, and nothing is served from the cache. A process that writes increases
    its own counter at once (`mark_changed`). Other processes are notified within milliseconds, during which they may
    serve an outdated public response.
    """

    def __init__(self, *, next_change: str) -> None:
        self.next_change_sql = next_change
        self._counter = 0
        self._listening = False

    def version(self) -> int | None:
        return self._counter if self._listening else None

    def mark_changed(self) -> None:
        self._counter += 1

    async def next_change(self, after: datetime) -> datetime | None:
        return await sync_to_async(self._next_change)(after)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Listen in a background task until exit."""
        task = asyncio.create_task(self._listen_and_reconnect())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _listen_and_reconnect(self) -> None:
        while True:
            try:
                await self._listen()
            except psycopg.Error as error:
                logger.warning("Lost the connection that listens for changes, reconnecting: %s", error)
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(**_parameters(), autocommit=True) as listener:
            await listener.execute(f"LISTEN {CHANNEL}")
            try:
                # Earlier notifications may have been missed.
                self._counter += 1
                self._listening = True
                async for _ in listener.notifies():
                    self._counter += 1
            finally:
                self._listening = False

    def _next_change(self, after: datetime) -> datetime | None:
        try:
            with connection.cursor() as cursor:
                cursor.execute(self.next_change_sql, [after])
                row: tuple[datetime | None] = cursor.fetchone()
        finally:
            connection.close()  # returns it to the pool; this thread has no lease that would do so
        return row[0]


def _parameters() -> dict[str, Any]:
    """Return the connection parameters of the settings, and keepalives that detect a lost server within ten seconds."""
    django_only = {"prepare_threshold", "cursor_factory", "context"}
    parameters = {name: value for name, value in connection.get_connection_params().items() if name not in django_only}
    return {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 2, **parameters}
