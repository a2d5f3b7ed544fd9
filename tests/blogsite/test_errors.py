"""The tree of errors in the docstring is complete, and every error class can become a response."""

import inspect
import re

import pytest

from blogsite import errors
from blogsite.errors import BlogError
from blogsite.http import problems

CLASSES = [
    item
    for _, item in inspect.getmembers(errors, inspect.isclass)
    if issubclass(item, BlogError) and item is not BlogError
]


def test_docstring_shows_every_error_below_its_parent() -> None:
    drawn: dict[str, str] = {}
    parents = ["BlogError"]
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"^    ([│ ]*)[├└]── (\w+)", line):
            depth = len(found[1]) // 4 + 1
            parents[depth:] = [found[2]]
            drawn[found[2]] = parents[depth - 1]
    assert drawn == {cls.__name__: cls.__mro__[1].__name__ for cls in CLASSES}


def test_docstring_shows_the_status_of_every_family() -> None:
    drawn = dict(re.findall(r"^    [├└]── (\w+) +(\d+)", errors.__doc__ or "", re.MULTILINE))
    assert drawn == {cls.__name__: str(cls.status) for cls in CLASSES if cls.__mro__[1] is BlogError}


def test_codes_are_unique_and_snake_case() -> None:
    codes = [cls.code for cls in CLASSES]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


@pytest.mark.parametrize("cls", CLASSES)
def test_temporary_errors_have_retry_after(cls: type[BlogError]) -> None:
    assert ("Retry-After" in problems.headers(cls())) == (cls.status in (429, 503))
