"""Describes the machine and the versions for the report of a run."""

import os
import platform
import re
import sqlite3
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import blogsite  # noqa: F401 - so that `sqlite3` is the library that the servers use
from tests.benchmarks import load, processors

PACKAGES = (
    *("Django", "django-ninja", "uvicorn", "uvloop", "httptools", "asgiref", "pydantic", "orjson", "PyJWT"),
    *("fastapi", "starlette", "SQLAlchemy", "aiosqlite", "djangorestframework", "gunicorn", "django-bolt"),
)


def description() -> str:
    """Return lines about the machine, its current load and the versions of the relevant packages."""
    packages = [f"{name} {found}" for name in PACKAGES if (found := _version(name))]
    return "\n".join(
        [
            f"Measured {datetime.now(UTC):%Y-%m-%d} on {_processor()}, {os.cpu_count()} cores, {platform.system()} "
            f"{platform.release()}; {processors.description()}. Load average before: {os.getloadavg()[0]:.1f}.",
            f"Load: {load.PROGRAM}, {load.CONNECTIONS} connections, one thread.",
            f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {', '.join(packages)}.",
        ]
    )


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.*)$", information.read_text(), re.MULTILINE) if information.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
