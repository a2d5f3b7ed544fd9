"""The change detector for SQLite."""

import asyncio
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync

from blogsite.db.sqlite_changes import SQLiteChangeDetector

NEXT = "SELECT MIN(moment) FROM thing WHERE moment > %s"


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "db.sqlite3", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE thing (moment TEXT)")
    yield connection
    connection.close()


@pytest.fixture
def detector(writer: sqlite3.Connection, tmp_path: Path) -> SQLiteChangeDetector:
    return SQLiteChangeDetector(str(tmp_path / "db.sqlite3"), next_change=NEXT)


def test_a_commit_changes_the_version_and_a_rollback_does_not(
    detector: SQLiteChangeDetector, writer: sqlite3.Connection
) -> None:
    async def scenario() -> list[int | None]:
        async with detector.lifespan():
            versions = [detector.version()]
            for statements in (["SELECT 1"], ["BEGIN", "INSERT INTO thing VALUES (1)", "ROLLBACK"]):
                for statement in statements:
                    writer.execute(statement)
                await asyncio.sleep(0)
                versions.append(detector.version())
            for _ in range(3):
                writer.execute("INSERT INTO thing VALUES (1)")
                await asyncio.sleep(0)
                versions.append(detector.version())
            return versions

    first, read, rolled_back, *committed = async_to_sync(scenario)()
    assert first == read == rolled_back
    assert len({first, *committed}) == 4


def test_a_request_after_a_commit_gets_a_new_version_even_if_one_was_just_read(
    detector: SQLiteChangeDetector, writer: sqlite3.Connection
) -> None:
    """As in a server, data arrives in a callback of the event loop, which creates a task, which reads the version."""

    async def scenario() -> list[int | None]:
        loop = asyncio.get_running_loop()
        seen: list[int | None] = []
        tasks = []

        async def request() -> None:
            seen.append(detector.version())

        def receive() -> None:
            tasks.append(loop.create_task(request()))

        def commit_and_receive() -> None:
            writer.execute("INSERT INTO thing VALUES (1)")
            receive()

        async with detector.lifespan():
            # In one iteration: a request reads the version, then a commit happens and a new request is received.
            receive()
            await asyncio.sleep(0)
            loop.call_soon(receive)
            loop.call_soon(commit_and_receive)
            await asyncio.sleep(0)
            assert len(tasks) == 3
            await asyncio.gather(*tasks)
            seen.append(detector.version())
        return seen

    before, between, after, last = async_to_sync(scenario)()
    assert between in (before, after)
    assert after == last != before


def test_the_next_change_is_the_first_one_after_the_given_time(
    detector: SQLiteChangeDetector, writer: sqlite3.Connection
) -> None:
    for text in ("2026-01-01 00:00:00", "2026-01-01 00:00:00.500000", "2027-01-01 00:00:00"):
        writer.execute("INSERT INTO thing VALUES (?)", [text])

    async def next_changes(*moments: datetime) -> list[datetime | None]:
        async with detector.lifespan():
            return [await detector.next_change(moment) for moment in moments]

    new_year = datetime(2026, 1, 1, tzinfo=UTC)
    half = new_year.replace(microsecond=500_000)
    moments = [new_year.replace(year=2025), new_year, half, new_year.replace(year=2027)]
    assert async_to_sync(next_changes)(*moments) == [new_year, half, new_year.replace(year=2027), None]


def test_a_database_that_cannot_be_read_has_no_version(tmp_path: Path) -> None:
    async def read_version() -> int | None:
        return SQLiteChangeDetector(str(tmp_path / "no folder" / "db.sqlite3"), next_change=NEXT).version()

    assert async_to_sync(read_version)() is None
