"""Slugs, which identify posts in URLs."""

import re
import secrets
import unicodedata
from collections.abc import Iterator

MAX_LENGTH = 100
_SUFFIX_LENGTH = 7


def slug_from(title: str) -> str:
    """Return the slug of `title`: letters of any script in lower case, digits, `_` and single hyphens.

    A title without any of these, such as one of emoji only, gives "post". A slug that is too long is cut between words,
    or within a single long word.
    """
    slug = unicodedata.normalize("NFC", re.sub(r"[-\s]+", "-", slug_characters(title)))
    if len(slug) > MAX_LENGTH:
        slug = slug[: MAX_LENGTH + 1].rpartition("-")[0] or slug[:MAX_LENGTH]
    return slug.strip("-_") or "post"


def slug_characters(title: str) -> str:
    """Return the letters of any script in lower case, the digits, `_`, `-` and spaces of `title`."""
    # Keeps letters (L), numbers (N) and marks (M). The pattern `\w` would remove the marks of Hindi and Thai.
    return "".join(
        char if char in "_-" or unicodedata.category(char)[0] in "LNM" else " " if char.isspace() else ""
        for char in unicodedata.normalize("NFKC", title).lower()
    )


def is_slug(value: str) -> bool:
    """Return whether `value` is a slug in the form that `slug_from` returns."""
    return 0 < len(value) <= MAX_LENGTH and value == slug_from(value)


def candidates(slug: str) -> Iterator[str]:
    """Yield `slug`, then numbered slugs (`slug-2` to `slug-9`), then any number of slugs with a random suffix."""
    yield slug
    stem = slug[: MAX_LENGTH - _SUFFIX_LENGTH].rstrip("-_")
    for number in range(2, 10):
        yield f"{stem}-{number}"
    while True:
        yield f"{stem}-{secrets.token_hex(3)}"
