"""The SQLite settings of the connections of a real server."""

from pathlib import Path

import httpx
import pytest

from tests.server import manage, serving


@pytest.fixture
def server_settings(tmp_path: Path) -> dict[str, object]:
    assert manage(tmp_path, "migrate", "-v0").returncode == 0
    with serving(tmp_path, application="tests.blogsite.serving.probe:application") as server:
        settings: dict[str, object] = httpx.get(f"{server.url}/probe").json()
    return settings


def test_the_server_connects_with_the_intended_pragmas(server_settings: dict[str, object]) -> None:
    version = str(server_settings.pop("version"))
    assert server_settings == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "temp_store": 2,  # MEMORY
        "foreign_keys": 1,
        "busy_timeout": 5000,
        "journal_size_limit": 64 * 1024 * 1024,
        "mmap_size": 0,
    }
    assert tuple(map(int, version.split("."))) > (3, 51, 2)  # https://sqlite.org/wal.html#walresetbug
