"""Where a run works: temporary folders with a database each, and the environment of the programs that use them."""

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
TOKEN_KEY = "a key of tokens for benchmarks and for nothing else"

_NEWEST = datetime(2026, 1, 1, tzinfo=UTC)
_STEP = timedelta(seconds=90)
_KEPT = ("PATH", "HOME", "LANG", "LC_", "TMP")


def author_name(number: int) -> str:
    """The username of the author with this id."""
    return f"author-{number}"


def published_at(number: int) -> datetime:
    """When the post with this id was published: the first is the newest."""
    return _NEWEST - _STEP * number


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    """The environment of a program that works on the database in `data_dir`, with none of the caller's settings."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
    return kept | {
        "BLOG_DATA_DIR": str(data_dir),
        "BLOG_TOKEN_KEYS": TOKEN_KEY,
        "DJANGO_SETTINGS_MODULE": "blogsite.settings",
        "PYTHONUNBUFFERED": "1",
        "SECRET_KEY": "a key for benchmarks, and for nothing else",
        **settings,
    }


def fill(data_dir: Path, posts: int) -> None:
    """Make a database of this many posts in `data_dir`, with a progress bar."""
    command = [sys.executable, "-m", "tests.benchmarks.database", str(posts)]
    subprocess.run(command, cwd=ROOT, env=environment(data_dir), check=True)


@contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder."""
    with TemporaryDirectory(prefix="blogsite-benchmarks-") as name:
        yield Path(name)


@contextmanager
def copy_of(data_dir: Path) -> Iterator[Path]:
    """A copy of the data folder, so that what one server writes is not read by the next."""
    with folder() as copy:
        shutil.copytree(data_dir, copy, dirs_exist_ok=True)
        with (copy / DATABASE).open("rb+") as file:
            os.fsync(file.fileno())  # or the first commit that is measured would wait for all of it
        yield copy


def size_of(data_dir: Path) -> int:
    """The bytes that the database has on the disk, its log among them."""
    return sum(file.stat().st_size for file in data_dir.glob(f"{DATABASE}*"))
