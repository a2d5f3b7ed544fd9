"""Renders Markdown as safe HTML, and derives an excerpt and a reading time from it.

pyromark writes the HTML, regular expressions add ids and footnotes to it, and nh3 removes every element, attribute and
URL that is not allowed. The result is safe whatever the first two steps return.
"""

import hashlib
import math
import re
from collections import defaultdict
from dataclasses import dataclass
from html import unescape
from io import BytesIO
from itertools import accumulate

import nh3
from django.utils.text import Truncator
from pyromark import Markdown, Options
from typing_extensions import Buffer

from blogsite.errors import FieldError, Invalid
from posts.content import slugs

RENDERER_VERSION = 1
"""The version of what `render` returns: increase it with every change, and `serve` renders all posts again."""

EXCERPT_CHARACTERS = 280
WORDS_PER_MINUTE = 230
CHARACTERS_PER_MINUTE = 500
ID_PREFIX = "user-content-"
MAX_NESTING = 100
MAX_HTML = 6 << 20  # bytes; a megabyte of ampersands has five
MAX_CELLS = 500_000

# Unicode's noncharacters stand for these characters until the HTML is clean. The first, because nh3 0.3.8 takes
# quadratic time in the number of ampersands in one text; the second, because HTML in the content is shown as text.
_AMPERSAND, _LESS_THAN = "\ufdd0", "\ufdd1"
# The writing systems that put no spaces between words: Thai, Lao, Khmer, Kana, Han.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d"
    "\U00020000-\U0003ffff]"
)
_SAFE_URL = re.compile(r"(?:https?|mailto):|[^:/?#]*(?:[/?#]|$)", re.IGNORECASE)
_CLASS = re.compile(r"language-[\w+#.-]+|footnote-(ref|backref)|footnotes(-sep)?|task-list-item|contains-task-list")
_BLANK_LINE = re.compile(r"(?:\r\n?|\n)[ \t]*(?:\r\n?|\n)")
_DELIMITER_ROW = re.compile(r"(?:^|[\r\n])([\t >:-]*\|[\t >|:-]*)(?![^\r\n])")
_HEADING = re.compile(r"<(h[1-6])>([^<]*(?:<(?!/?h[1-6]>)[^<]*)*)</\1>")
_TASK_LIST = re.compile(r"<[ou]l(?: [^<>]*)?(?=>\s*<li>\s*(?:<p>)?<input)")
_TASK = re.compile(r"<li>(\s*(?:<p>)?<input[^<>]*>)\s*")
_REFERENCE = re.compile(r'<sup class="footnote-reference"><a href="#([^"]*)">\d+</a></sup>')
_FOOTNOTE = re.compile(r'(?s)<div class="footnote-definition" id="([^"]*)"><sup [^<]*</sup>\n((?:(?!<div).)*?)</div>\n')
_NESTING = re.compile(r"<(/?)(?:blockquote|div|[ou]l|li|em|strong|s)\b")
_UNREAD = re.compile(r"<sup [^<]*<a [^<]*</a></sup>|<img[^<>]*>|</?(?:a|code|em|s|strong)\b[^<>]*>")
_TAG = re.compile(r"<[^<>]*>")


@dataclass(frozen=True)
class RenderedContent:
    """What is derived from the content of a post. The fields have the names of the post's fields."""

    content_html: str
    derived_excerpt: str
    reading_minutes: int


def render(content: str) -> RenderedContent:
    """Render Markdown as sanitised HTML, with an excerpt in plain text and a reading time.

    The syntax is CommonMark with tables, strikethrough, footnotes (`[^1]`) and task lists. HTML is shown as text.
    Headings have ids. Every id, and every link inside the post (`#…`), begins with `ID_PREFIX`.

    Raises `Invalid` with the code `content_excessive` for content whose HTML is too long or too deeply nested.
    """
    content = _with_characters(content, "", "")  # the stand-ins have no meaning in text
    if "|" in content and _table_cells(content) > MAX_CELLS:
        raise _excessive()
    output = _BoundedOutput()
    _markdown.write_html(_without_html(content) if "<" in content else content, output)
    html = output.getvalue().decode().replace("&amp;", _AMPERSAND).replace("del>", "s>")
    if max(accumulate(-1 if end else 1 for end in _NESTING.findall(html)), default=0) > MAX_NESTING:
        raise _excessive("Content should nest lists, quotes and marks less deeply")
    html = _TASK.sub(r'<li class="task-list-item">\1 ', _TASK_LIST.sub(r'\g<0> class="contains-task-list"', html))
    digest = hashlib.blake2b(content.encode(), digest_size=4).hexdigest()
    body, footnotes = _with_footnotes(_with_heading_ids(html), digest)
    html = body + footnotes
    if len(html) > MAX_HTML:
        raise _excessive()
    text = _plain_text(body)
    return RenderedContent(
        content_html=_with_characters(_cleaner.clean(html), "&amp;", "&lt;"),
        derived_excerpt=Truncator(text[: EXCERPT_CHARACTERS * 2]).chars(EXCERPT_CHARACTERS),
        reading_minutes=_reading_minutes(f"{text} {_plain_text(footnotes)}"),
    )


def _table_cells(content: str) -> int:
    """Return at least the number of cells of all tables. The parser fills short rows up, before it writes anything."""
    cells = 0
    for block in _BLANK_LINE.split(content):
        if rows := _DELIMITER_ROW.findall(block):
            cells += (max(row.count("|") for row in rows) + 1) * (block.count("\n") + block.count("\r"))
    return cells


def _without_html(content: str) -> str:
    """Replace the "<" of each tag that the parser finds, and parse the result again, because it can have other tags."""
    for _ in range(3):
        source = bytearray(content.encode())
        for event, span in _markdown.events_with_range(content, merge_text=True):
            if "Html" in event or "InlineHtml" in event:  # a line of an HTML block, or a tag
                part = slice(span["start"], span["end"])
                source[part] = re.sub(rb"^([ \t]*)<", b"\\1\xff", source[part])  # UTF-8 has no such byte
        if 0xFF not in source:
            return content
        content = source.replace(b"\xff", _LESS_THAN.encode()).decode()
    return content.replace("<", _LESS_THAN)


class _BoundedOutput(BytesIO):
    def write(self, chunk: Buffer) -> int:
        if self.tell() > MAX_HTML:
            raise _excessive()
        return super().write(chunk)


def _excessive(message: str = "Content should have fewer lines, links and table cells") -> Invalid:
    return Invalid(errors=[FieldError("#/content", "content_excessive", message)])


def _with_heading_ids(html: str) -> str:
    """Give each heading an id that no other heading has: the same text gives `a`, `a-1`, `a-2`."""
    uses: dict[str, int] = {}

    def with_id(heading: re.Match[str]) -> str:
        title = _plain_text(heading[2])[: slugs.MAX_LENGTH].replace("\ufe0f", "")  # U+FE0F follows emoji
        name = slug = "-".join(slugs.slug_characters(title).split()) or "section"
        while name in uses:
            uses[slug] += 1
            name = f"{slug}-{uses[slug]}"
        uses[name] = 0
        return f'<{heading[1]} id="{name}">{heading[2]}</{heading[1]}>'

    return _HEADING.sub(with_id, html)


def _with_footnotes(html: str, digest: str) -> tuple[str, str]:
    """Return the body with links to its footnotes, and the footnotes in the order in which they are read.

    Their ids contain `digest`, a digest of the content, so that a page can show several posts. A digest keeps the HTML
    the same for the same content, and is known before a new post has an id. Footnotes without a reference are left out.
    """
    notes: dict[str, str] = {}
    order: list[str] = []
    numbers: dict[str, int] = {}
    links: dict[str, list[str]] = defaultdict(list)  # from each footnote back to the references to it

    def take_out(footnote: re.Match[str]) -> str:
        notes.setdefault(footnote[1].casefold(), footnote[2])
        return ""

    def with_link(reference: re.Match[str]) -> str:
        name = reference[1].casefold()
        if name not in notes:
            return f"[^{reference[1]}]"
        if name not in numbers:
            order.append(name)
            numbers[name] = len(order)
        number = numbers[name]
        label = f"{number}:{len(links[name])}" if links[name] else str(number)
        links[name].append(f'<a href="#fnref:{digest}:{label}" class="footnote-backref">↩︎</a>')
        ids = f'href="#fn:{digest}:{number}" id="fnref:{digest}:{label}"'
        return f'<sup class="footnote-ref"><a {ids}>[{label}]</a></sup>'

    found = html.count("<div")
    while found:  # a footnote can contain another one
        html, found = _FOOTNOTE.subn(take_out, html)
    body = _REFERENCE.sub(with_link, html)
    # `order` becomes longer on the way, because a footnote can refer to another one.
    shown = [_REFERENCE.sub(with_link, notes[name]) for name in order]
    items = [
        f'<li id="fn:{digest}:{numbers[name]}">{note.removesuffix(end)} {" ".join(links[name])}{end}</li>\n'
        for name, note in zip(order, shown, strict=True)
        for end in ["</p>\n" if note.endswith("</p>\n") else ""]
    ]
    footnotes = f'<hr class="footnotes-sep">\n<section class="footnotes">\n<ol>\n{"".join(items)}</ol>\n</section>\n'
    return body, footnotes if items else ""


def _plain_text(html: str) -> str:
    """Return the words of the HTML, without the numbers of footnotes and the descriptions of images."""
    return " ".join(_with_characters(unescape(_TAG.sub(" ", _UNREAD.sub("", html))), "&", "<").split())


def _with_characters(text: str, ampersand: str, less_than: str) -> str:
    return text.replace(_AMPERSAND, ampersand).replace(_LESS_THAN, less_than)


def _reading_minutes(text: str) -> int:
    spaced, characters = _UNSPACED.subn(" ", text)
    words = len(re.findall(r"\w\S*", spaced))
    return max(1, math.ceil(words / WORDS_PER_MINUTE + characters / CHARACTERS_PER_MINUTE))


_markdown = Markdown(
    options=Options.ENABLE_TABLES | Options.ENABLE_STRIKETHROUGH | Options.ENABLE_FOOTNOTES | Options.ENABLE_TASKLISTS
)


def _checked(tag: str, name: str, value: str) -> str | None:
    """Return the value that an allowed attribute gets, or None to remove the attribute."""
    match name:
        case "id":
            return ID_PREFIX + value
        case "href" if value.startswith("#"):
            return f"#{ID_PREFIX}{value[1:].removeprefix(ID_PREFIX)}"
        case "href" | "src":
            return value if _SAFE_URL.match(value) else None
        case "class":
            return value if _CLASS.fullmatch(value) else None
    return value


_ATTRIBUTES: dict[str, set[str]] = {
    **{tag: set() for tag in ("blockquote", "br", "em", "p", "pre", "s", "strong", "table", "tbody", "thead", "tr")},
    **{tag: {"id"} for tag in ("h1", "h2", "h3", "h4", "h5", "h6")},
    **{tag: {"class"} for tag in ("code", "hr", "section", "sup", "ul")},
    **{tag: {"style"} for tag in ("td", "th")},
    "a": {"href", "title", "id", "class"},
    "img": {"src", "alt", "title"},
    "input": {"type", "disabled", "checked"},
    "li": {"id", "class"},
    "ol": {"start", "class"},
}
_cleaner = nh3.Cleaner(
    tags=set(_ATTRIBUTES),
    attributes=_ATTRIBUTES,
    attribute_filter=_checked,
    set_tag_attribute_values={"input": {"type": "checkbox", "disabled": ""}},
    filter_style_properties={"text-align"},
    url_schemes={"http", "https", "mailto"},
)
