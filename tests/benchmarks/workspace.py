"""The temporary folders of a run, each with a database, and the environment of the processes that use them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
DATABASE = "blog.sqlite3"
AUTHORS = 100
PASSWORD = "a password for benchmarks"
TOKEN_KEY = "a token key that only the benchmarks use"

_NEWEST = datetime(2026, 1, 1, tzinfo=UTC)
_STEP = timedelta(seconds=90)
_KEPT = ("PATH", "HOME", "LANG", "LC_", "TMP")


def author_name(number: int) -> str:
    """Return the username of the author with this id."""
    return f"author-{number}"


def published_at(number: int) -> datetime:
    """Return when the post with this id was published. The post with id 1 is the newest."""
    return _NEWEST - _STEP * number


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    """Return the environment of a process that uses the database in `data_dir`, without the settings of the caller."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
    return kept | {
        "BLOG_DATA_DIR": str(data_dir),
        "BLOG_TOKEN_KEYS": TOKEN_KEY,
        "DJANGO_SETTINGS_MODULE": "blogsite.settings",
        "PYTHONUNBUFFERED": "1",
        "SECRET_KEY": "a secret key that only the benchmarks use",
        **settings,
    }


def fill(data_dir: Path, posts: int) -> None:
    """Create a database with this many posts in `data_dir`, with a progress bar."""
    command = [sys.executable, "-m", "tests.benchmarks.database", str(posts)]
    subprocess.run(command, cwd=ROOT, env=environment(data_dir), check=True)


@contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder, which is deleted at the end of the block."""
    with TemporaryDirectory(prefix="blogsite-benchmarks-") as name:
        yield Path(name)


@contextmanager
def copy_of(data_dir: Path) -> Iterator[Path]:
    """A temporary copy of the data folder, so that each server starts with the same data."""
    with folder() as copy:
        shutil.copytree(data_dir, copy, dirs_exist_ok=True)
        with (copy / DATABASE).open("rb+") as file:
            os.fsync(file.fileno())  # otherwise the first measured commit would wait for it
        yield copy


def size_of(data_dir: Path) -> int:
    """Return the size of the database on disk in bytes, with its write-ahead log."""
    return sum(file.stat().st_size for file in data_dir.glob(f"{DATABASE}*"))
