"""Whether the PostgreSQL database has changed, told by its triggers."""

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
    """A counter that moves when a commit notifies `CHANNEL`, heard on one listening connection.

    A process that loses that connection proves nothing until it has it again. A process that wrote moves its own
    counter at once (`touch`); others hear of it within milliseconds, and may serve a public read that is so much late.
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
        """Listen, in a task of its own, while the block lasts."""
        task = asyncio.create_task(self._listen_for_ever())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _listen_for_ever(self) -> None:
        while True:
            try:
                await self._listen()
            except psycopg.Error as error:
                logger.warning("Lost the connection that tells of changes, trying again: %s", error)
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        parameters = _parameters()
        async with await psycopg.AsyncConnection.connect(**parameters, autocommit=True) as listener:
            await listener.execute(f"LISTEN {CHANNEL}")
            try:
                # What happened before may have gone unheard.
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
            connection.close()  # back to the pool, which looks after it: no lease does it for this thread
        return row[0]


def _parameters() -> dict[str, Any]:
    """What libpq is told, with TLS as the operator wants it. A peer that is gone is noticed within ten seconds."""
    django_only = {"prepare_threshold", "cursor_factory", "context"}
    told = {name: value for name, value in connection.get_connection_params().items() if name not in django_only}
    return {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 2, **told}
