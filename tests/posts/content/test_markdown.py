"""Markdown is rendered as documented, and nothing in the result can run."""

import re
from contextlib import suppress
from html.parser import HTMLParser

import nh3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blogsite.errors import Invalid
from posts.content.markdown import render
from tests.posts.content.attacks import ATTACKS

ALLOWED: dict[str, set[str]] = {
    **{tag: set() for tag in ("blockquote", "br", "em", "p", "pre", "s", "strong", "table", "tbody", "thead", "tr")},
    **{tag: {"id"} for tag in ("h1", "h2", "h3", "h4", "h5", "h6")},
    **{tag: {"class"} for tag in ("code", "hr", "section", "sup", "ul")},
    **{tag: {"style"} for tag in ("td", "th")},
    "a": {"href", "title", "id", "class", "rel"},
    "img": {"src", "alt", "title"},
    "input": {"type", "disabled", "checked"},
    "li": {"id", "class"},
    "ol": {"start", "class"},
}
VALUES = {
    "id": r"user-content-.+",
    "class": r"language-[\w+#.-]+|footnote-(ref|backref)|footnotes(-sep)?|task-list-item|contains-task-list",
    "style": r"text-align:(left|center|right)",
    "start": r"\d{1,9}",
    "rel": "noopener noreferrer",
    "type": "checkbox",
    "disabled": "",
    "checked": "",
}

SAME = nh3.Cleaner(tags=set(ALLOWED), attributes=ALLOWED, link_rel=None, url_schemes={"http", "https", "mailto"})
"""Changes nothing but what a browser would read differently from how it is written."""


class Inspector(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs))
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    handle_pi = unknown_decl = handle_comment


def is_safe(url: str) -> bool:
    # As a browser reads it: without tabs and line ends, and without the spaces and controls before it.
    url = re.sub(r"[\t\n\r]", "", url).lstrip("".join(map(chr, range(33))))
    if url.startswith("#"):
        return url.startswith("#user-content-")
    scheme = re.match(r"([^/?#:]*):", url)
    return scheme is None or scheme[1].lower() in ("http", "https", "mailto")


def assert_harmless(markup: str) -> None:
    elements = Inspector(markup).elements
    for tag, attributes in elements:
        assert tag in ALLOWED
        assert attributes.keys() <= ALLOWED[tag]
        assert tag != "input" or {"type", "disabled"} <= attributes.keys()
        for name, value in attributes.items():
            assert name not in VALUES or re.fullmatch(VALUES[name], value), (name, value)
            assert name not in ("href", "src") or is_safe(value), value
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert SAME.clean(markup) == markup


@pytest.mark.parametrize(
    ("source", "markup"),
    [
        ("", ""),
        ("Some *text*.", "<p>Some <em>text</em>.</p>\n"),
        ("**b** ~~s~~ `c`", "<p><strong>b</strong> <s>s</s> <code>c</code></p>\n"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
        ("3. c", '<ol start="3">\n<li>c</li>\n</ol>\n'),
        ("> q", "<blockquote>\n<p>q</p>\n</blockquote>\n"),
        ("a  \nb", "<p>a<br>\nb</p>\n"),
        ("---", "<hr>\n"),
        ("    a < b", "<pre><code>a &lt; b</code></pre>\n"),
        (
            "[a](https://example.org 't')",
            '<p><a href="https://example.org" title="t" rel="noopener noreferrer">a</a></p>\n',
        ),
        ("[a](/posts/1)", '<p><a href="/posts/1" rel="noopener noreferrer">a</a></p>\n'),
        ("[a](b?c:d)", '<p><a href="b?c:d" rel="noopener noreferrer">a</a></p>\n'),
        ("<a@example.org>", '<p><a href="mailto:a@example.org" rel="noopener noreferrer">a@example.org</a></p>\n'),
        ("[a](tel:1) [b](ftp://c)", '<p><a rel="noopener noreferrer">a</a> <a rel="noopener noreferrer">b</a></p>\n'),
        ("![a](/media/1.webp)", '<p><img src="/media/1.webp" alt="a"></p>\n'),
        (
            "| a | b | c |\n| - | :-: | --: |\n| *d* | `e` | f |",
            '<table><thead><tr><th>a</th><th style="text-align:center">b</th><th style="text-align:right">c</th></tr>'
            '</thead><tbody>\n<tr><td><em>d</em></td><td style="text-align:center"><code>e</code></td>'
            '<td style="text-align:right">f</td></tr>\n</tbody></table>\n',
        ),
        ("5 > 3 & 2 < 4", "<p>5 &gt; 3 &amp; 2 &lt; 4</p>\n"),
        ("été 🍞 パン", "<p>été 🍞 パン</p>\n"),
        ("```c++ x\na\n```", '<pre><code class="language-c++">a\n</code></pre>\n'),
        ("~~~\n```\n~~~", "<pre><code>```\n</code></pre>\n"),
        (
            "- [ ] a\n- [x] b\n- c",
            '<ul class="contains-task-list">\n'
            '<li class="task-list-item"><input disabled="" type="checkbox"> a</li>\n'
            '<li class="task-list-item"><input disabled="" type="checkbox" checked=""> b</li>\n'
            "<li>c</li>\n</ul>\n",
        ),
        (
            "a[^n] b[^n]\n\n[^n]: *c*",
            '<p>a<sup class="footnote-ref"><a href="#user-content-fn:466e95a6:1" id="user-content-fnref:466e95a6:1" '
            'rel="noopener noreferrer">[1]</a></sup> b<sup class="footnote-ref"><a href="#user-content-fn:466e95a6:1" '
            'id="user-content-fnref:466e95a6:1:1" rel="noopener noreferrer">[1:1]</a></sup></p>\n'
            '<hr class="footnotes-sep">\n<section class="footnotes">\n<ol>\n'
            '<li id="user-content-fn:466e95a6:1"><p><em>c</em> '
            '<a href="#user-content-fnref:466e95a6:1" class="footnote-backref" rel="noopener noreferrer">↩︎</a> '
            '<a href="#user-content-fnref:466e95a6:1:1" class="footnote-backref" rel="noopener noreferrer">↩︎</a></p>\n'
            "</li>\n</ol>\n</section>\n",
        ),
        ("a[^n] ^[b]\n\n[^m]: c", "<p>a[^n] ^[b]</p>\n"),
        (
            "[a](#été) [b](#user-content-c)",
            '<p><a href="#user-content-%C3%A9t%C3%A9" rel="noopener noreferrer">a</a> '
            '<a href="#user-content-c" rel="noopener noreferrer">b</a></p>\n',
        ),
    ],
)
def test_markdown_is_rendered(source: str, markup: str) -> None:
    assert render(source).content_html == markup
    assert_harmless(markup)


@pytest.mark.parametrize(
    ("source", "ids"),
    [
        ("# One *two* `three`", ["one-two-three"]),
        ("a\n=\n\n###### a", ["a", "a-1"]),
        ("# a\n# a-1\n# a\n# a\n# a-1", ["a", "a-1", "a-2", "a-3", "a-1-1"]),
        ("# Été à la plage !\n# ÉTÉ À LA PLAGE", ["été-à-la-plage", "été-à-la-plage-1"]),
        ("# हिन्दी में\n# ไทย\n# 日本語、中文", ["हिन्दी-में", "ไทย", "日本語中文"]),
        ("# ⚠️ Take care: 5 > 3", ["take-care-5-3"]),
        ("# 🍞\n#\n# ![a](b)", ["section", "section-1", "section-2"]),
        ("# [a](b) c[^1]\n\n[^1]: # d", ["a-c", "d"]),
        ("> # a\n\n- # b", ["a", "b"]),
        ("# " + "a" * 101, ["a" * 100]),
    ],
)
def test_headings_have_ids(source: str, ids: list[str]) -> None:
    markup = render(source).content_html
    assert re.findall(r'<h\d id="(.*?)"', markup) == [f"user-content-{name}" for name in ids]
    assert_harmless(markup)


@pytest.mark.parametrize("source", ATTACKS, ids=ascii)
def test_nothing_of_an_attack_runs(source: str) -> None:
    assert_harmless(render(source).content_html)


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script>",
        "a <b onclick=x>b</b>",
        "&lt;i&gt;",
        "a](<h1>) b",
        "a](<img src=x onerror=alert(1) alt=b>) c",
        "a]: <section class=footnotes> b",
        "<!--a@example.org> b -->",
        "<?a@example.org>",
        "<![CDATA[a@example.org>",
        "<div>\n<table>\n<td>",
        """<!-- <a b='<c d="<e f=<g>>">'> -->""",
        "<a b=" * 100 + "<c>" + ">" * 100,
    ],
)
def test_html_in_the_source_is_shown_as_text(source: str) -> None:
    seen = Inspector(render(source).content_html)
    assert seen.elements == [("p", {})]
    assert seen.text.strip() == source.replace("&lt;", "<").replace("&gt;", ">")


def test_all_text_between_tags_is_shown() -> None:
    markup = render("\\[a](<script>) alert(1) ](</script>)").content_html
    assert markup == "<p>[a](&lt;script&gt;) alert(1) ](&lt;/script&gt;)</p>\n"
    assert render("<?a@b>\n*c*\n\n*d*").content_html == "<p>&lt;?a@b&gt;\n<em>c</em></p>\n<p><em>d</em></p>\n"
    indented = "<div>\n  <p>\n    <b>*a*</b>\n  </p>\n</div>"
    assert render(indented).derived_excerpt == "<div> <p> <b>a</b> </p> </div>"


@pytest.mark.parametrize("tag", ["<section>", "](<section>) "])
def test_tags_in_the_source_do_not_nest(tag: str) -> None:
    assert render(tag * 10_000).content_html.count("<section") == 0


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("[a](/s?q=a<b)", "/s?q=a%3Cb"),
        ("![a](/a<b.png)", "/a%3Cb.png"),
        ("[a](<b c>)", "b%20c"),
        ("[a]( <b>)", "b"),
        ("[a]:<b>\n\n[a]", "b"),
        ("[a]:  <b>\n\n[a]", "b"),
        ("[a]:\n<b>\n\n[a]", "b"),
        ("<p>é <https://a.org></p>", "https://a.org"),
        ("<div>\n  <b>\n    [a](/a<b)\n</div>", "/a%3Cb"),
    ],
)
def test_addresses_can_contain_or_follow_a_less_than_sign(source: str, address: str) -> None:
    assert re.findall(r'(?:href|src)="(.*?)"', render(source).content_html) == [address]


def test_noncharacters_that_the_renderer_uses_are_removed() -> None:
    rendered = render("a\ufdd0b [c](d\ufdd1e) \ufdd1i>")
    assert rendered == render("ab [c](de) i>")
    assert rendered.derived_excerpt == "ab c i>"


SPECIAL = [
    *(
        "[",
        "]",
        "(",
        ")",
        "![",
        "](",
        "[a]",
        "[^1]",
        "[^1]: ",
        "[a]: ",
        "- [ ] ",
        "- [x] ",
        "- ",
        "1. ",
        "> ",
        "# ",
        "    ",
    ),
    *(
        "\n",
        "\n\n",
        "\t",
        " ",
        "*",
        "**",
        "_",
        "~~",
        "`",
        "```",
        "~~~",
        "|",
        "| - |\n",
        "===",
        "---",
        "\\",
        "&",
        "&#58;",
    ),
    *("&colon;", "&lt;", "<", ">", "</", "<!--", "<svg>", "<a", "onload=", "javascript:", "data:", "http://", '"', "'"),
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(SPECIAL) | st.text(max_size=5), max_size=30).map("".join))
def test_any_source_gives_the_same_harmless_markup_each_time(source: str) -> None:
    with suppress(Invalid):  # nested too deeply
        rendered = render(source)
        assert_harmless(rendered.content_html)
        assert render(source) == rendered


@pytest.mark.parametrize(
    ("source", "excerpt"),
    [
        ("", ""),
        ("Some *text*, [a link](https://example.org) and `code`.", "Some text, a link and code."),
        ("# Title\n\nFirst.\n\nSecond.", "Title First. Second."),
        ("- a\n- b", "a b"),
        ("- [x] a\n- [ ] b", "a b"),
        ("| a | b |\n| - | - |\n| c | d |", "a b c d"),
        ("5 > 3 & 2 < 4 &lt;", "5 > 3 & 2 < 4 <"),
        ("![only an image](/x.png)", ""),
        ("A note[^1].\n\n[^1]: Below.", "A note."),
        ("```python\na = 1\n```", "a = 1"),
        ("a\n\n\n   b  \nc\nd", "a b c d"),
        ("x" * 280, "x" * 280),
        ("x" * 281, "x" * 279 + "…"),
        ("word " * 1000, ("word " * 1000)[:279] + "…"),
    ],
)
def test_the_excerpt_is_the_beginning_in_plain_text(source: str, excerpt: str) -> None:
    assert render(source).derived_excerpt == excerpt


@pytest.mark.parametrize(
    ("source", "minutes"),
    [
        ("", 1),
        ("word " * 230, 1),
        ("word " * 231, 2),
        ("word " * 460, 2),
        ("word " * 461, 3),
        ("it's well-known " * 115, 1),
        ("हिन्दी " * 230, 1),
        ("단어 " * 230, 1),
        ("漢" * 500, 1),
        ("漢" * 501, 2),
        ("ひらがなカタカナ。" * 125, 2),
        ("ก" * 1000, 2),
        ("漢字、 word " * 230, 2),
        ("\n\n".join(["* * *", "**word** - – —"] * 200), 1),
        ("a[^1]\n\n[^1]: " + "word " * 230, 2),
    ],
)
def test_the_reading_time_is_at_230_words_or_500_characters_a_minute(source: str, minutes: int) -> None:
    assert render(source).reading_minutes == minutes


def test_posts_with_footnotes_can_be_shown_on_one_page() -> None:
    pages = [render(f"{text}[^1] and[^1]\n\n[^1]: The same note.").content_html for text in ("One", "Two")]
    ids = re.findall(r'id="(.*?)"', "".join(pages))
    assert len(ids) == len(set(ids)) == 6
    for page in pages:
        assert {f"#{name}" for name in re.findall(r'id="(.*?)"', page)} == set(re.findall(r'href="(.*?)"', page))


def test_footnotes_are_numbered_in_the_order_in_which_they_are_read() -> None:
    markup = render("[^c]: See[^b].\n\n[^b]: Last.\n\n[^a]: Never shown[^b].\n\nOne[^C].").content_html
    assert re.sub(r"<.*?>", "", markup).split() == ["One[1].", "See[2].", "↩︎", "Last.", "↩︎"]
    assert_harmless(markup)


def test_a_footnote_inside_another_footnote_is_shown_once() -> None:
    markup = render("[^1]: > [^2]: Inner.\n\nOne[^1] two[^2].").content_html
    assert markup.count("Inner.") == 1
    assert markup.count("<li id=") == 2
    assert_harmless(markup)
