"""From Markdown to what is shown: safe HTML, an excerpt, a reading time."""

import html
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import nh3
from django.utils.text import Truncator
from markdown_it import MarkdownIt
from markdown_it.token import Token

from blogsite.errors import FieldError, Invalid

EXCERPT_CHARACTERS = 280
WORDS_PER_MINUTE = 230

# A text of brackets alone, or one that names a long address a thousand times, takes more work than anybody's writing.
MAX_BRACKETS = 20_000
MAX_REPEATED = 100_000

# HTML in the source is shown as text, and the result is sanitised all the same: two locks on one door.
_markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_LANGUAGE = re.compile(r"language-[\w+#.-]+")
_cleaner = nh3.Cleaner(
    attributes={**nh3.ALLOWED_ATTRIBUTES, "code": {"class"}, "td": {"style"}, "th": {"style"}},
    attribute_filter=lambda tag, name, value: value if name != "class" or _LANGUAGE.fullmatch(value) else None,
    filter_style_properties={"text-align"},
)


@dataclass(frozen=True)
class Rendered:
    """What is derived from a post's content: the values of the fields with these names."""

    content_html: str
    derived_excerpt: str
    reading_minutes: int


def render(content: str) -> Rendered:
    """Render Markdown (CommonMark 0.31, tables and strikethrough) as sanitised HTML, with an excerpt of plain text.

    Raises `Invalid` for a text that is made to exhaust us: brackets without end, references that multiply it.
    """
    if content.count("[") > MAX_BRACKETS:
        raise _refusal(f"Content should have at most {MAX_BRACKETS} opening brackets")
    references: dict[str, dict[str, dict[str, str]]] = {}
    tokens = _markdown.parse(content, references)
    if _repeated(tokens, references.get("references", {}).values()) > MAX_REPEATED:
        raise _refusal("Content should not repeat long link references that often")
    content_html = _cleaner.clean(_markdown.renderer.render(tokens, _markdown.options, references))
    text = " ".join(html.unescape(nh3.clean(content_html, tags=set())).split())
    words = len(re.findall(r"\w+", text))
    return Rendered(
        content_html=content_html,
        derived_excerpt=Truncator(text[: EXCERPT_CHARACTERS * 2]).chars(EXCERPT_CHARACTERS),
        reading_minutes=max(1, math.ceil(words / WORDS_PER_MINUTE)),
    )


def _repeated(tokens: Iterable[Token], references: Iterable[dict[str, str]]) -> int:
    """How many characters the uses of `references` add to the text."""
    sizes = {reference["href"]: len(reference["href"]) + len(reference["title"]) for reference in references}
    links = (child for token in tokens for child in token.children or ())
    return sum(sizes.get(str(link.attrs.get("href") or link.attrs.get("src")), 0) for link in links)


def _refusal(message: str) -> Invalid:
    return Invalid(errors=[FieldError("#/content", "content_excessive", message)])
