"""SQLite as the server really uses it."""

from pathlib import Path

import httpx
import pytest

from tests.server import manage, serving


@pytest.fixture
def settings_of_the_server(tmp_path: Path) -> dict[str, object]:
    assert manage(tmp_path, "migrate", "-v0").returncode == 0
    with serving(tmp_path, application="tests.blogsite.serving.probe:application") as server:
        found: dict[str, object] = httpx.get(f"{server.url}/probe").json()
    return found


def test_the_running_server_uses_sqlite_as_planned(settings_of_the_server: dict[str, object]) -> None:
    version = str(settings_of_the_server.pop("version"))
    assert settings_of_the_server == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "temp_store": 2,  # MEMORY
        "foreign_keys": 1,
        "busy_timeout": 5000,
        "journal_size_limit": 64 * 1024 * 1024,
        "mmap_size": 0,
    }
    assert tuple(map(int, version.split("."))) > (3, 51, 2)  # https://sqlite.org/wal.html#walresetbug
