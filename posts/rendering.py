"""From Markdown to what is shown: safe HTML, an excerpt, a reading time."""

import math
import re
import threading
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise, takewhile
from types import SimpleNamespace

import nh3
from django.utils.text import Truncator
from markdown_it import MarkdownIt, helpers
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.footnote.index import footnote_ref

from blogsite.errors import FieldError, Invalid

EXCERPT_CHARACTERS = 280
WORDS_PER_MINUTE = 230
CHARACTERS_PER_MINUTE = 500
ID_PREFIX = "user-content-"
MAX_SLUG = 100
MAX_URL = 2_000

# One unit is about a microsecond. A megabyte of prose takes 0.3 to 0.8 of this, a thousand rows of a table 0.3,
# five hundred footnotes 0.1; and nothing of a megabyte was found that takes two seconds before it is refused.
MAX_WORK = 1_000_000
_TOKEN_WORK = 10

# The writing systems that put no spaces between words: Thai, Lao, Khmer, Kana, Han.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d"
    "\U00020000-\U0003ffff]"
)
_SAFE_URL = re.compile(r"(?:https?|mailto):|[^:/?#]*(?:[/?#]|$)", re.IGNORECASE)
_CLASS = re.compile(r"language-[\w+#.-]+|footnote-(ref|backref)|footnotes(-sep)?|task-list-item|contains-task-list")
_FOOTNOTE = re.compile(r"\[\^[^] \n]{1,100}\]")
_DELIMITERS = re.compile(r"[*_~]+")


@dataclass(frozen=True)
class Rendered:
    """What is derived from a post's content: the values of the fields with these names."""

    content_html: str
    derived_excerpt: str
    reading_minutes: int


def render(content: str) -> Rendered:
    """Render Markdown as sanitised HTML, with an excerpt of plain text.

    It is CommonMark 0.31 with tables, strikethrough, footnotes (`[^1]`) and task lists. Headings have an id;
    each id, and each link inside the post (`#…`), begins with `ID_PREFIX`.

    Raises `Invalid` for a text that takes more work than anybody's writing.
    """
    _work.left = MAX_WORK
    env: EnvType = {}
    tokens = _markdown.parse(content, env)
    _name_headings(tokens)
    # A few characters that use a reference, `[a]`, become a link as long as the reference is.
    links = (child for token in tokens for child in token.children or ())
    _spend(sum(len(str(value)) for link in links for value in link.attrs.values()) // 4)
    body = takewhile(lambda token: token.type != "footnote_block_open", tokens)
    excerpt = " ".join(" ".join(map(_text, body)).split())
    return Rendered(
        content_html=_cleaner.clean(_markdown.renderer.render(tokens, _markdown.options, env)),
        derived_excerpt=Truncator(excerpt[: EXCERPT_CHARACTERS * 2]).chars(EXCERPT_CHARACTERS),
        reading_minutes=_reading_minutes(" ".join(map(_text, tokens))),
    )


def _text(token: Token) -> str:
    """What a reader sees of a block as words: no marks, no footnote's number, no picture's description."""
    if token.children is None:
        return token.content
    return "".join(" " if child.tag == "br" else child.content for child in token.children if child.type != "image")


def _reading_minutes(text: str) -> int:
    characters = len(_UNSPACED.findall(text))
    words = sum(1 for word in _UNSPACED.sub(" ", text).split() if re.search(r"\w", word))
    return max(1, math.ceil(words / WORDS_PER_MINUTE + characters / CHARACTERS_PER_MINUTE))


def _name_headings(tokens: Iterable[Token]) -> None:
    """Give each heading an id that no other one has: the same text gives `a`, `a-1`, `a-2`."""
    uses: dict[str, int] = {}
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            name = slug = _slug(_text(inline))
            while name in uses:
                uses[slug] += 1
                name = f"{slug}-{uses[slug]}"
            uses[name] = 0
            token.attrSet("id", name)


def _slug(title: str) -> str:
    # Letters (L), numbers (N) and the marks (M) that belong to letters, as in the slugs of posts; U+FE0F follows emoji.
    kept = (
        char if char in "-_" or unicodedata.category(char)[0] in "LMN" else " " if char.isspace() else ""
        for char in unicodedata.normalize("NFKC", title[:MAX_SLUG].replace("\ufe0f", "")).lower()
    )
    return "-".join("".join(kept).split()) or "section"


class _Work(threading.local):
    """What the rendering in this thread may still do. By thread, since some of the parser's hooks see no state."""

    left = 0


_work = _Work()


def _spend(units: int) -> None:
    _work.left -= units
    if _work.left < 0:
        raise _refusal()


def _refusal(message: str = "Content should have fewer lines, links and marks") -> Invalid:
    return Invalid(errors=[FieldError("#/content", "content_excessive", message)])


# The parser goes over some texts again and again, and spends a millisecond on a few characters of others. So we count
# what it does, where it does it: the rules named `work` stand before all others, match nothing, and see each attempt.


class _Inline(ParserInline):
    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        _spend(len(src) // 16)
        return super().parse(src, md, env, tokens)

    def skipToken(self, state: StateInline) -> None:
        _spend(1)
        super().skipToken(state)


class _Markdown(MarkdownIt):
    def __init__(self) -> None:
        super().__init__()
        self.inline = _Inline()
        # HTML in the source is shown as text, and the result is sanitised all the same: two locks on one door.
        self.configure("commonmark", {"html": False, "tasklists": True}).enable(["table", "strikethrough"])
        self.use(footnote_plugin, inline=False)
        # A colon: no heading's id has one.
        self.add_render_rule("footnote_anchor_name", lambda _, tokens, index, *rest: f":{tokens[index].meta['id'] + 1}")
        self.helpers = SimpleNamespace(  # type: ignore[assignment]
            parseLinkDestination=_parse_link_destination,
            parseLinkLabel=_parse_link_label,
            parseLinkTitle=helpers.parseLinkTitle,
        )
        self.core.ruler.before("block", "work", _work_of_source)
        self.core.ruler.after("block", "work", _work_of_blocks)
        self.block.ruler.before(
            "table", "work", _work_of_block, {"alt": ["paragraph", "reference", "blockquote", "list"]}
        )
        self.inline.ruler.before("text", "work", _work_of_inline)
        self.inline.ruler.at("footnote_ref", _footnote_ref)

    def normalizeLink(self, url: str) -> str:
        _spend(50 + len(url) * (1 if url.isascii() else 4))
        return super().normalizeLink(url)

    def validateLink(self, url: str) -> bool:
        return _SAFE_URL.match(url) is not None


def _work_of_source(state: StateCore) -> None:
    _spend(5 * state.src.count("\n") + 2 * state.src.count(">") + sum(map(state.src.count, '"&<')))


def _work_of_blocks(state: StateCore) -> None:
    _spend(_TOKEN_WORK * len(state.tokens))


def _work_of_block(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    # Two levels before the parser would silently leave out what is inside.
    if state.level >= state.md.options.maxNesting - 2:
        raise _refusal("Content should nest lists and quotes less deeply")
    start, stop = state.bMarks[line], state.eMarks[line]
    # A row of a table becomes many tokens at once; a reference's title is copied for each line that continues it.
    _spend(10 + (stop - start) // 16 + 10 * state.src.count("|", start, stop) + 200 * (state.parentType == "reference"))
    if _TOKEN_WORK * len(state.tokens) > _work.left:
        raise _refusal()
    return False


def _work_of_inline(state: StateInline, silent: bool) -> bool:
    delimiters = None if silent else _DELIMITERS.match(state.src, state.pos)
    _spend(20 * len(delimiters[0]) if delimiters else 10)
    return False


def _parse_link_destination(string: str, start: int, maximum: int) -> object:
    maximum = min(maximum, start + MAX_URL)
    result = helpers.parseLinkDestination(string, start, maximum)
    _spend(((result.pos or maximum) - start) // 6)
    return result


def _parse_link_label(state: StateInline, start: int, disableNested: bool = False) -> int:
    end = helpers.parseLinkLabel(state, start, disableNested)
    _spend(max(end - start, 0) // 8)
    return end


def _footnote_ref(state: StateInline, silent: bool) -> bool:
    # The plugin looks for the end of a name in the whole paragraph, each time.
    if _FOOTNOTE.match(state.src, state.pos) is None:
        return False
    _spend(20)
    return footnote_ref(state, silent)


_markdown = _Markdown()


def _checked(tag: str, name: str, value: str) -> str | None:
    match name:
        case "id":
            return ID_PREFIX + value
        case "href" if value.startswith("#"):
            return f"#{ID_PREFIX}{value[1:].removeprefix(ID_PREFIX)}"
        case "class":
            return value if _CLASS.fullmatch(value) else None
    return value


_ATTRIBUTES: dict[str, set[str]] = {
    **{tag: set() for tag in ("blockquote", "br", "em", "p", "pre", "s", "strong", "table", "tbody", "thead", "tr")},
    **{f"h{level}": {"id"} for level in range(1, 7)},
    "a": {"href", "title", "id", "class"},
    "code": {"class"},
    "hr": {"class"},
    "img": {"src", "alt", "title"},
    "input": {"type", "disabled", "checked"},
    "li": {"id", "class"},
    "ol": {"start", "class"},
    "section": {"class"},
    "sup": {"class"},
    "td": {"style"},
    "th": {"style"},
    "ul": {"class"},
}
_cleaner = nh3.Cleaner(
    tags=set(_ATTRIBUTES),
    attributes=_ATTRIBUTES,
    attribute_filter=_checked,
    set_tag_attribute_values={"input": {"type": "checkbox", "disabled": ""}},
    filter_style_properties={"text-align"},
    url_schemes={"http", "https", "mailto"},
)
