"""Runs migrations in one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from filelock import FileLock

# An arbitrary number that nothing else in this database locks: "blog" in ASCII.
_ADVISORY_LOCK = 0x626C6F67


def migrate_under_lock(*, verbosity: int) -> None:
    """Apply missing migrations. Of servers that start at the same time, one migrates and the others wait.

    Raises `CommandError` if the database cannot be reached.
    """
    with _translate_connection_errors(), migration_lock():
        call_command("migrate", interactive=False, verbosity=max(0, verbosity - 1))


def require_migrations() -> None:
    """Raise `CommandError` if the database cannot be reached or if migrations are missing."""
    with _translate_connection_errors():
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            raise CommandError("The database is not up to date: run manage.py migrate.")


@contextmanager
def _translate_connection_errors() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        raise CommandError(f"The database does not answer: {reason}") from None


@contextmanager
def migration_lock() -> Iterator[None]:
    """Hold the lock that lets one process at a time change the whole database."""
    if connection.vendor == "sqlite":
        with FileLock(settings.DATA_DIR / "migrate.lock"):
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_ADVISORY_LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_ADVISORY_LOCK])
