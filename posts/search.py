"""Full-text search: FTS5 on SQLite, `tsvector` on PostgreSQL, behind one scope, `PostQuerySet.matching(q=…)`.

The index (`posts_search`, one row a post, `posts.models.SearchEntry`) is the database's own: `posts.triggers` makes
and keeps it. Both engines fold case and diacritics; words are not reduced to their stems, and a text without spaces
between its words (Chinese, say) is found by how its parts begin.
"""

import html
import re
from typing import Any

from django.conf import settings
from django.db.models import FloatField, Func, Lookup, TextField

# Private-use characters that no text needs: around what matched, until the text is escaped.
_START, _END = "\ue000", "\ue001"
_MARKED = re.compile(f"{_START}([^{_START}{_END}]*){_END}")
_TERMS = re.compile(r'"([^"]*)"?|(\S+)')
_WORDS = re.compile(r"\w+")
_SNIPPET_WORDS = 30


def query_of(text: str) -> str:
    """What was typed, in the language of the engine: words and "phrases", all of them, the last word by its beginning.

    Nothing that was typed is an operator, so no text is an error. A text without a word finds nothing.
    """
    terms = [(phrase if phrase else word, bool(word)) for phrase, word in _TERMS.findall(text.replace("\x00", " "))]
    return (_fts5 if settings.ON_SQLITE else _tsquery)(terms)


def _fts5(terms: list[tuple[str, bool]]) -> str:
    quoted = ['"' + term.replace('"', '""') + '"' for term, _ in terms]
    is_open = bool(terms) and terms[-1][1] and _WORDS.search(terms[-1][0])
    return " ".join(quoted) + ("*" if is_open else "") or '""'


def _tsquery(terms: list[tuple[str, bool]]) -> str:
    parts = []
    for number, (term, is_word) in enumerate(terms, 1):
        words = [f"'{word}'" for word in _WORDS.findall(term)]
        if words and is_word and number == len(terms):
            words[-1] += ":*"
        parts += [" <-> ".join(words)] if words else []
    return " & ".join(f"({part})" for part in parts)


def highlighted(snippet: str | None) -> str | None:
    """A snippet as safe HTML, with `<mark>` around what matched."""
    if snippet is None:
        return None
    marked = _MARKED.sub(r"<mark>\1</mark>", html.escape(snippet))
    return marked.replace(_START, "").replace(_END, "")


class SearchField(TextField[str, str]):
    """The column of the index that is searched. FTS5 gives it the name of the table."""


@SearchField.register_lookup
class Matches(Lookup[bool]):
    """Whether a post matches a query (`query_of`)."""

    lookup_name = "matches"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        column, params = self.process_lhs(compiler, connection)
        query, query_params = self.process_rhs(compiler, connection)
        return f"{column} = {query}", (*params, *query_params)

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        column, params = self.process_lhs(compiler, connection)
        query, query_params = self.process_rhs(compiler, connection)
        return f"{column} @@ to_tsquery('simple', unaccent({query}))", (*params, *query_params)


class Rank(Func):
    """How well a post matches, the best first: the lowest number. A word in the title counts ten in the text."""

    output_field = FloatField()

    def __init__(self, query: Any) -> None:
        super().__init__("search__text", query)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:
        return f"{_table(compiler, self)}.rank", ()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:
        column, query = (compiler.compile(source) for source in self.source_expressions)
        weights = "'{0.1, 0.1, 0.1, 1.0}'"
        sql = f"(-ts_rank({weights}, {column[0]}, to_tsquery('simple', unaccent({query[0]}))))::float8"
        return sql, (*column[1], *query[1])


class Snippet(Func):
    """The place in the text where a post matches best, with what matched between the markers of `highlighted`."""

    output_field = TextField()

    def __init__(self, query: Any) -> None:
        super().__init__("search__text", "content", query)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:
        return f"snippet({_table(compiler, self)}, -1, %s, %s, '…', {_SNIPPET_WORDS})", (_START, _END)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:
        _, content, query = self.source_expressions
        content_sql, content_params = compiler.compile(content)
        query_sql, query_params = compiler.compile(query)
        options = f"StartSel={_START}, StopSel={_END}, MaxWords={_SNIPPET_WORDS + 10}, MinWords={_SNIPPET_WORDS}"
        sql = f"ts_headline('simple', {content_sql}, to_tsquery('simple', unaccent({query_sql})), %s)"
        return sql, (*content_params, *query_params, options)


def _table(compiler: Any, func: Func) -> str:
    column, _ = compiler.compile(func.source_expressions[0])
    return str(column.partition(".")[0])
