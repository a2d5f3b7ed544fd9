"""System checks of the machine that runs the server, for `manage.py check`."""

import sqlite3
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

# https://sqlite.org/wal.html#walresetbug
FIRST_SAFE_SQLITE = (3, 51, 3)


@register
def sqlite_is_safe(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Return a warning if SQLite has the bug that can corrupt a WAL database with several writing connections."""
    if not settings.ON_SQLITE or sqlite3.sqlite_version_info >= FIRST_SAFE_SQLITE:
        return []
    return [
        Warning(
            f"SQLite {sqlite3.sqlite_version} can corrupt a database to which several connections write.",
            hint="Install pysqlite3 (on Linux on Arm there is no wheel: build it from source), or use PostgreSQL.",
            id="blogsite.W001",
        )
    ]
