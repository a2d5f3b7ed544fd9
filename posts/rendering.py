"""From Markdown to what is shown: safe HTML, an excerpt, a reading time."""

import html
import math
import re
from dataclasses import dataclass

import nh3
from django.utils.text import Truncator
from markdown_it import MarkdownIt

EXCERPT_CHARACTERS = 280
WORDS_PER_MINUTE = 230

# HTML in the source is shown as text, and the result is sanitised all the same: two locks on one door.
_markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


@dataclass(frozen=True)
class Rendered:
    """What is derived from a post's content: the values of the fields with these names."""

    content_html: str
    derived_excerpt: str
    reading_minutes: int


def render(content: str) -> Rendered:
    """Render Markdown (CommonMark 0.31, tables and strikethrough) as sanitised HTML, with an excerpt of plain text."""
    content_html = nh3.clean(_markdown.render(content))
    text = " ".join(html.unescape(nh3.clean(content_html, tags=set())).split())
    words = len(re.findall(r"\w+", text))
    return Rendered(
        content_html=content_html,
        derived_excerpt=Truncator(text[: EXCERPT_CHARACTERS * 2]).chars(EXCERPT_CHARACTERS),
        reading_minutes=max(1, math.ceil(words / WORDS_PER_MINUTE)),
    )
