"""Long and hostile content: what is refused, and what must be rendered.

Each hostile input has a megabyte and takes a second or two at most. If a change makes one quadratic, it takes minutes.
"""

from collections.abc import Callable

import pytest

from blogsite.errors import Invalid
from posts.content.markdown import MAX_HTML, render

MIB = 1 << 20
HOSTILE: dict[str, Callable[[int], str]] = {
    "items": lambda size: "- a\n" * (size // 4),
    "empty tasks": lambda size: "- [ ] \n" * (size // 7),
    "nested items": lambda size: "".join("  " * depth + "- a\n" for depth in range(8)) * (size // 90),
    "lines": lambda size: "\n" * size,
    "carriage returns": lambda size: "\r" * size,
    "lines of code": lambda size: "    a\n" * (size // 6) + "a\n\n" * (size // 100),
    "headings": lambda size: "# a\n" * (size // 4),
    "quotes": lambda size: ">" * size,
    "nested quotes": lambda size: (">" * 17 + "\n") * (size // 18),
    "lazy quotes": lambda size: "\n>---\na\\" * (size // 8),
    "rows": lambda size: "a|b\n-|-\n" + "a|b\n" * (size // 4),
    "columns": lambda size: "a|" * (size // 4) + "\n" + "-|" * (size // 4),
    "empty cells": lambda size: ("|" * 101 + "\n" + "|-" * 100 + "|\n" + "a\n" * 300 + "\n") * (size // 1_000),
    "footnotes": lambda size: "[^1]" * (size // 4) + "\n\n[^1]: a",
    "names of footnotes": lambda size: "[^a" * (size // 3) + "\n\n[^1]: a",
    "references": lambda size: "[a]: /u 'a\n" * (size // 11),
    "a reference's title": lambda size: "[a]: /u 'a" + ("a" * 230 + "\n") * (size // 231),
    "brackets": lambda size: "[" * size,
    "images": lambda size: "![" * (size // 2),
    "nested images": lambda size: "![" * 15 + "&lt;" * (size // 5) + "](u)" * 15,
    "nested labels": lambda size: "[a]: /u\n\n" + "[" * 19 + "a " * (size // 3) + "]" * 19,
    "addresses": lambda size: ("[a](" + "()" * 30) * (size // 64),
    "an address": lambda size: "<http://" + "é" * (size // 3) + ">",
    "asterisks": lambda size: "*" * size + "a",
    "emphasis": lambda size: "*a_ " * (size // 4),
    "backticks": lambda size: "`a" * (size // 2),
    "entities": lambda size: "&lt;" * (size // 4),
    "short rows": lambda size: "a|" * 3_000 + "\n" + "-|" * 3_000 + "\n" + "a|\n" * (size // 3),
    "many footnotes": lambda size: "".join(f"[^{n}]\n\n[^{n}]: a\n\n" for n in range(size // 22)),
    "tasks": lambda size: "- [x] a\n" * (size // 8),
    "links": lambda size: "[a](b)" * (size // 6),
    "a reference used often": lambda size: f"[a]: /{'u' * 1_900}\n\n" + "[a] " * (size // 4),
    "HTML blocks": lambda size: "<div>\n" * (size // 6),
    "almost automatic links": lambda size: "<a:b<a@b" * (size // 8),
    "HTML headings": lambda size: "](<h1>)\n" * (size // 8),
    "HTML footnotes": lambda size: '](<sup class="footnote x">) ' * (size // 28),
    "HTML comments": lambda size: "<!-- " * (size // 5) + "-->",
    "quotes after comments": lambda size: "<!-- <!-- <!-- -->\n\n" + ">" * size,
    "nested emphasis": lambda size: "*" * (size // 2) + "a" + "*" * (size // 2),
}
REFUSED = {
    "empty cells",
    "empty tasks",
    "footnotes",
    "headings",
    "many footnotes",
    "nested emphasis",
    "quotes",
    "quotes after comments",
    "rows",
    "short rows",
    "tasks",
}
EVERYDAY = {
    "paragraphs": (
        "A *paragraph* of ordinary prose: with [a link](https://example.org), `code`, and (some) marks; no more.\n\n"
        * 2_000,
        "<p>",
        2_000,
    ),
    "wrapped lines": (
        "seventy characters of ordinary prose, and no marks but a comma and a dot.\n" * 14_000,
        "seventy",
        14_000,
    ),
    "a table": ("| a | b | c |\n| - | - | - |\n" + "| one | *two* | `three` |\n" * 1_000, "<tr>", 1_001),
    "items": ("- An item with [a link](https://example.org)\n" * 2_000, "<li>", 2_000),
    "footnotes": ("".join(f"A note[^{n}].\n\n[^{n}]: The note.\n\n" for n in range(500)), "<li id=", 500),
    "references": (
        "".join(f"[A link][{n}].\n\n[{n}]: https://example.org/{n}\n\n" for n in range(1_000)),
        "<a ",
        1_000,
    ),
    "headings": ("# The same heading\n\nText.\n\n" * 1_000, '<h1 id="user-content-the-same-heading', 1_000),
    "code": ("```python\n" + "values = [value for value in values if value > 1]\n" * 20_000 + "```\n", " = [", 20_000),
    "a long word": ("x" * MIB, "x", MIB),
    "characters": ("漢" * (MIB // 3), "漢", MIB // 3),
    "lists in lists": ("- " * 8 + "a", "<ul>", 8),
    "quotes in quotes": ("> " * 17 + "a", "<blockquote>", 17),
    "ampersands": ("&" * MIB, "&amp;", MIB),
    "prose": ("Words & more words, with *marks*.\n\n" * 25_000, "<em>", 25_000),
    "angle brackets": ("<" * MIB, "&lt;", MIB),
    "a long list": ("- An item of a long list of things to do.\n" * 24_000, "<li>", 24_000),
    "a long table": ("| a | b |\n| - | - |\n" + "| one thing | another thing |\n" * 30_000, "<tr>", 30_001),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_megabyte_of_hostile_content_is_refused_or_rendered_within_the_bound(name: str) -> None:
    content = HOSTILE[name](MIB)
    if name in REFUSED:
        with pytest.raises(Invalid) as refused:
            render(content)
        assert [(error.pointer, error.code) for error in refused.value.errors] == [("#/content", "content_excessive")]
    else:
        assert len(render(content).content_html) <= 2 * MAX_HTML  # nh3 adds `rel` to each link


@pytest.mark.parametrize("name", EVERYDAY)
def test_a_long_text_is_rendered(name: str) -> None:
    source, part, count = EVERYDAY[name]
    assert render(source).content_html.count(part) == count


@pytest.mark.parametrize("source", ["- " * 51 + "a", "> " * 101 + "a", "*" * 202 + "a" + "*" * 202])
def test_content_that_is_nested_too_deeply_is_refused_and_not_left_out(source: str) -> None:
    with pytest.raises(Invalid) as refused:
        render(source)
    assert "nest" in refused.value.errors[0].message


def test_references_do_not_multiply_content() -> None:
    for reference in ("/" + "u" * 1_900, f"/u '{'t' * 1_900}'\n[b]: /u"):
        assert len(render(f"[a]: {reference}\n\n" + "[a] " * 2_500).content_html) < 400_000
    assert render("[a]: /" + "u" * 50 + "\n\n" + "[a] " * 1_000).content_html.count("<a ") == 1_000
