"""The differences between the revisions of a post, for the admin site."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from typing import NamedTuple

from posts.models import Revision

CONTEXT_LINES = 2
MAX_LINES = 2_000
FIELDS = ("title", "slug", "excerpt", "tags", "published", "published_at")


class Line(NamedTuple):
    """A line of the content. Its kind is "removed", "added" or "same"; a "gap" stands for lines that are left out."""

    kind: str
    text: str


@dataclass(frozen=True)
class Change:
    """The changes of one revision: fields as (name, old value, new value), and lines of the content."""

    revision: Revision
    fields: list[tuple[str, object, object]]
    lines: list[Line]


def revision_changes(revisions: Sequence[Revision]) -> list[Change]:
    """Return the changes of each revision against the next, older one. The last revision has no changes.

    `revisions` are consecutive revisions of one post, newest first.
    """
    changes = []
    for revision, older in pairwise(revisions):
        pairs = ((name, getattr(older, name), getattr(revision, name)) for name in FIELDS)
        fields = [(name.replace("_", " "), old, new) for name, old, new in pairs if old != new]
        changes.append(Change(revision, fields, list(_lines(older.content, revision.content))))
    return [*changes, *(Change(oldest, [], []) for oldest in revisions[-1:])]


def _lines(old: str, new: str) -> Iterator[Line]:
    before, after = old.splitlines(), new.splitlines()
    if max(len(before), len(after)) > MAX_LINES:
        if before != after:
            yield Line("gap", f"{len(before)} lines became {len(after)}: too many to compare")
        return
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for group in matcher.get_grouped_opcodes(CONTEXT_LINES):
        yield Line("gap", "…")
        for kind, first, last, new_first, new_last in group:
            if kind == "equal":
                yield from (Line("same", text) for text in before[first:last])
            else:
                yield from (Line("removed", text) for text in before[first:last])
                yield from (Line("added", text) for text in after[new_first:new_last])
