"""Rendering: Markdown as promised, and nothing of it that runs."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blogsite.errors import Invalid
from posts.rendering import render

HARMLESS = {"href", "src", "alt", "title", "rel", "start", "align"}


class Inspector(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def assert_harmless(markup: str) -> None:
    seen = Inspector(markup)
    assert not seen.tags & {"script", "style", "iframe", "object", "embed", "form", "input", "svg", "math", "base"}
    assert {name for name, _ in seen.attributes} <= HARMLESS
    for name, value in seen.attributes:
        if name in ("href", "src"):
            scheme = re.match(r"[\x00-\x20]*([a-z][a-z0-9+.\-\s]*):", value, re.IGNORECASE)
            assert scheme is None or scheme[1].lower() in ("http", "https", "mailto", "tel", "ftp"), value


@pytest.mark.parametrize(
    ("source", "markup"),
    [
        ("", ""),
        ("Some *text*.", "<p>Some <em>text</em>.</p>\n"),
        ("# One\n\n## Two", "<h1>One</h1>\n<h2>Two</h2>\n"),
        ("**b** ~~s~~ `c`", "<p><strong>b</strong> <s>s</s> <code>c</code></p>\n"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
        ("3. c", '<ol start="3">\n<li>c</li>\n</ol>\n'),
        ("> q", "<blockquote>\n<p>q</p>\n</blockquote>\n"),
        ("a  \nb", "<p>a<br>\nb</p>\n"),
        ("---", "<hr>\n"),
        ("    a < b", "<pre><code>a &lt; b\n</code></pre>\n"),
        (
            "[a](https://example.org 't')",
            '<p><a href="https://example.org" title="t" rel="noopener noreferrer">a</a></p>\n',
        ),
        ("[a](/posts/1)", '<p><a href="/posts/1" rel="noopener noreferrer">a</a></p>\n'),
        ("![a](/media/1.webp)", '<p><img src="/media/1.webp" alt="a"></p>\n'),
        (
            "| a |\n| - |\n| b |",
            "<table>\n<thead>\n<tr>\n<th>a</th>\n</tr>\n</thead>\n"
            "<tbody>\n<tr>\n<td>b</td>\n</tr>\n</tbody>\n</table>\n",
        ),
        ("5 > 3 & 2 < 4", "<p>5 &gt; 3 &amp; 2 &lt; 4</p>\n"),
        ("été 🍞 パン", "<p>été 🍞 パン</p>\n"),
    ],
)
def test_markdown_is_rendered(source: str, markup: str) -> None:
    assert render(source).content_html == markup


ATTACKS = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    '<a href="javascript:alert(1)">x</a>',
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<style>@import 'javascript:alert(1)'</style>",
    "<p style=\"background:url('javascript:alert(1)')\">x</p>",
    "<form action=javascript:alert(1)><input type=submit></form>",
    "<base href=//evil.example>",
    "<!--><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?php echo '<script>alert(1)</script>' ?>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x]( javascript:alert(1) )",
    "[x](<javascript:alert(1)>)",
    "[x](<java\tscript:alert(1)>)",
    "[x](javascript&colon;alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](&#x6A;&#x61;vascript&#58;alert(1))",
    "[x](java&Tab;script:alert(1))",
    "[x](java&NewLine;script:alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](javascript\\:alert(1))",
    "[x](%6aavascript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](file:///etc/passwd)",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](blob:https://example.org/1)",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml;base64,PHN2Zy9vbmxvYWQ9YWxlcnQoMSk+)",
    "![x](data:image/png;base64,AAAA)",
    '![x" onerror="alert(1)](x)',
    '![x](x" onerror="alert(1))',
    "[x](https://example.org 'a\" onmouseover=\"alert(1)')",
    '[x](https://example.org" onmouseover="alert(1))',
    "[x][1]\n\n[1]: javascript:alert(1)",
    "[x][1]\n\n[1]: <data:text/html,x> 'onload=alert(1)'",
    "<javascript:alert(1)>",
    "<data:text/html,x>",
    "```<script>alert(1)</script>\nx\n```",
    '```" onload="alert(1)\nx\n```',
    "`<script>alert(1)</script>`",
    "| <script>alert(1)</script> |\n| - |\n| <img src=x onerror=alert(1)> |",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&amp;lt;script&amp;gt;",
    "\\<script>alert(1)</script>",
    "# <script>alert(1)</script>",
    "<scr<script>ipt>alert(1)</script>",
    "<\x00script>alert(1)</script>",
    "\u2028<script>alert(1)</script>",
]


@pytest.mark.parametrize("source", ATTACKS, ids=ascii)
def test_nothing_of_an_attack_runs(source: str) -> None:
    assert_harmless(render(source).content_html)


@pytest.mark.parametrize("source", ["<script>alert(1)</script>", "a <b onclick=x>b</b>", "&lt;i&gt;"])
def test_html_in_the_source_is_shown_as_text(source: str) -> None:
    markup = render(source).content_html
    assert Inspector(markup).tags <= {"p"}
    assert "&lt;" in markup


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["[x](", "](", "<", ">", "javascript:", "data:", "&#58;", "&colon;", '"', "'", "`", "\n", "![", ")"]
        )
        | st.text(max_size=5),
        max_size=12,
    )
)
def test_nothing_of_any_source_runs(pieces: list[str]) -> None:
    assert_harmless(render("".join(pieces)).content_html)


@pytest.mark.parametrize(
    ("source", "excerpt"),
    [
        ("", ""),
        ("Some *text*, [a link](https://example.org) and `code`.", "Some text, a link and code."),
        ("# Title\n\nFirst.\n\nSecond.", "Title First. Second."),
        ("- a\n- b", "a b"),
        ("| a | b |\n| - | - |\n| c | d |", "a b c d"),
        ("5 > 3 & 2 < 4", "5 > 3 & 2 < 4"),
        ("![only an image](/x.png)", ""),
        ("a\n\n\n   b", "a b"),
        ("x" * 280, "x" * 280),
        ("x" * 281, "x" * 279 + "…"),
        ("word " * 1000, ("word " * 1000)[:279] + "…"),
    ],
)
def test_the_excerpt_is_the_beginning_in_plain_text(source: str, excerpt: str) -> None:
    assert render(source).derived_excerpt == excerpt


@pytest.mark.parametrize(("words", "minutes"), [(0, 1), (1, 1), (230, 1), (231, 2), (460, 2), (461, 3)])
def test_the_reading_time_is_at_230_words_a_minute(words: int, minutes: int) -> None:
    assert render("word " * words).reading_minutes == minutes


def test_marks_are_not_words() -> None:
    assert render("\n\n".join(["* * *", "**word** - – —"] * 200)).reading_minutes == 1


def test_the_columns_of_a_table_are_aligned() -> None:
    assert "right" in render("| a |\n| --: |\n| 1 |").content_html


def test_code_keeps_its_language() -> None:
    assert render("```python\nx\n```").content_html == '<pre><code class="language-python">x\n</code></pre>\n'


def test_references_do_not_multiply_a_text() -> None:
    with pytest.raises(Invalid):
        render("[a]: /" + "u" * 5_000 + "\n\n" + "[a] " * 1_250)
    assert render("[a]: /" + "u" * 50 + "\n\n" + "[a] " * 1_000).content_html.count("<a ") == 1_000


@pytest.mark.parametrize("brackets", ["[", "!["])
def test_brackets_without_end_are_refused(brackets: str) -> None:
    with pytest.raises(Invalid) as refused:
        render(brackets * 300_000)
    assert [error.pointer for error in refused.value.errors] == ["#/content"]
