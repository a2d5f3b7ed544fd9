"""The name of a post in addresses."""

import re
import secrets
import unicodedata
from collections.abc import Iterator

MAX_LENGTH = 100
_SUFFIX_LENGTH = 7
_COUNTED = range(2, 10)


def slug_from(title: str) -> str:
    """Return the slug of `title`: letters of any script in lower case, digits, `_` and single hyphens.

    A title without any of these (emoji alone, say) gives "post". Cut at a word where there is one.
    """
    # Letters (L), numbers (N) and the marks (M) that belong to letters; `\\w` would drop the marks of Hindi or Thai.
    kept = (
        char if char in "_-" or unicodedata.category(char)[0] in "LNM" else " " if char.isspace() else ""
        for char in unicodedata.normalize("NFKC", title).lower()
    )
    slug = unicodedata.normalize("NFC", re.sub(r"[-\s]+", "-", "".join(kept)))
    if len(slug) > MAX_LENGTH:
        slug = slug[: MAX_LENGTH + 1].rpartition("-")[0] or slug[:MAX_LENGTH]
    return slug.strip("-_") or "post"


def is_slug(value: str) -> bool:
    """Whether `value` is a slug in the form that `slug_from` makes."""
    return 0 < len(value) <= MAX_LENGTH and value == slug_from(value)


def candidates(slug: str) -> Iterator[str]:
    """Yield `slug`, then counted ones (`slug-2` to `slug-9`), then random ones without end."""
    yield slug
    stem = slug[: MAX_LENGTH - _SUFFIX_LENGTH].rstrip("-_")
    for count in _COUNTED:
        yield f"{stem}-{count}"
    while True:
        yield f"{stem}-{secrets.token_hex(3)}"
