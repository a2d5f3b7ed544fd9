"""The interface that tells the server whether the database has changed, and the choice of its implementation."""

from collections.abc import Hashable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from django.db import connection

from blogsite.db.sqlite_changes import SQLiteChangeDetector


class ChangeDetector(Protocol):
    """Tells whether the database has changed since a response was computed."""

    def version(self) -> Hashable | None:
        """Return the content version, which differs after every commit, or None if it is unknown at the moment."""

    def mark_changed(self) -> None:
        """Record that this process may have written to the database."""

    async def next_change(self, after: datetime) -> datetime | None:
        """Return the first time after `after` at which a scheduled post becomes public, or None if there is none."""

    def lifespan(self) -> AbstractAsyncContextManager[None]:
        """Return the context manager that opens and closes the detector's connections."""


def change_detector(*, next_change: str) -> ChangeDetector:
    """Return the detector for the database in the settings.

    `next_change` is the SQL query of the first scheduled publication after the time that is its parameter.
    """
    if connection.vendor == "sqlite":
        return SQLiteChangeDetector(str(connection.settings_dict["NAME"]), next_change=next_change)
    from blogsite.db.postgresql_changes import PostgreSQLChangeDetector  # psycopg is an optional package

    return PostgreSQLChangeDetector(next_change=next_change)
