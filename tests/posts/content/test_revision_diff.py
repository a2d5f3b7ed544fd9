"""The differences between revisions."""

from posts.content.revision_diff import MAX_LINES, Line, revision_changes
from posts.models import Revision


def revision(version: int, content: str = "", **fields: object) -> Revision:
    return Revision(version=version, title="T", slug="t", content=content, published=False, **fields)


def test_changed_fields_and_lines_are_listed() -> None:
    newer = revision(2, "a\nB\nc", tags=["x"])
    older = revision(1, "a\nb\nc", tags=[])
    second, first = revision_changes([newer, older])
    assert second.fields == [("tags", [], ["x"])]
    assert second.lines == [
        Line("gap", "…"),
        Line("same", "a"),
        Line("removed", "b"),
        Line("added", "B"),
        Line("same", "c"),
    ]
    assert (first.revision, first.fields, first.lines) == (older, [], [])


def test_distant_unchanged_lines_are_left_out() -> None:
    lines = [str(number) for number in range(100)]
    (change, _) = revision_changes([revision(2, "\n".join([*lines, "end"])), revision(1, "\n".join(lines))])
    assert [line.text for line in change.lines] == ["…", "98", "99", "end"]


def test_very_long_content_is_not_compared() -> None:
    long = "line\n" * (MAX_LINES + 1)
    (change, _) = revision_changes([revision(2, long), revision(1, "")])
    assert [line.kind for line in change.lines] == ["gap"]
    assert not revision_changes([revision(2, long), revision(1, long)])[0].lines
