"""System checks: what `manage.py check` says about this machine."""

import sqlite3
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

# https://sqlite.org/wal.html#walresetbug
FIRST_SAFE_SQLITE = (3, 51, 3)


@register
def sqlite_is_safe(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Warn of an SQLite that can corrupt a WAL database which two connections write."""
    if not settings.ON_SQLITE or sqlite3.sqlite_version_info >= FIRST_SAFE_SQLITE:
        return []
    return [
        Warning(
            f"SQLite {sqlite3.sqlite_version} can corrupt a database that several connections write.",
            hint="Install pysqlite3 (there is no wheel for Linux on Arm: build it), or use PostgreSQL.",
            id="blogsite.W001",
        )
    ]
