"""Generated secrets."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from blogsite.keys import read_or_create_key


def test_a_key_is_created_once_and_readable_only_by_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "key"
    key = read_or_create_key(path)
    assert len(key) == 64
    assert read_or_create_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_workers_that_start_at_the_same_time_read_the_same_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with ThreadPoolExecutor(8) as workers:
        keys = set(workers.map(lambda _: read_or_create_key(path), range(64)))
    assert len(keys) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["key"]
