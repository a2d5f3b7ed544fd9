"""The system checks of the machine."""

import sqlite3

import pytest
from pytest_django import Settings

from blogsite.checks import sqlite_is_safe


@pytest.mark.parametrize(("version", "warned"), [((3, 51, 2), True), ((3, 51, 3), False)])
def test_a_sqlite_version_that_can_corrupt_data_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, version: tuple[int, int, int], warned: bool
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    settings.ON_SQLITE = True
    assert [message.id for message in sqlite_is_safe(None)] == ["blogsite.W001"] * warned
    settings.ON_SQLITE = False
    assert sqlite_is_safe(None) == []
