"""Full-text search: FTS5 on SQLite, `tsvector` on PostgreSQL, behind one scope, `PostQuerySet.found_by`.

The index (`posts_search`, one row a post, `posts.models.SearchEntry`) is the database's own: `posts.triggers` makes
and keeps it. Both engines fold case and diacritics; words are not reduced to their stems, and a text without spaces
between its words (Chinese, say) is found by how its parts begin.
"""

import html
import re
from typing import Any

from django.conf import settings
from django.db.models import Expression, F, Func, TextField
from django.db.models.sql.datastructures import Join

# Private-use characters that no text needs: around what matched, until the text is escaped.
_START, _END = "\ue000", "\ue001"
_MARKED = re.compile(f"{_START}([^{_START}{_END}]*){_END}")
_TERMS = re.compile(r'"([^"]*)"?|(\S+)')
_WORDS = re.compile(r"\w+")
_SNIPPET_WORDS = 30
_WEIGHTS = "{0.1, 0.1, 0.1, 1.0}"
_TSQUERY = "to_tsquery('simple', unaccent({}))"
TABLE = "posts_search"


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


def with_matches(posts: Any, query: Expression, candidate_limit: Expression | None) -> Any:
    """Those of a QuerySet of posts that match a query (`query_of`), each with its `rank` and its `snippet`.

    The best has the lowest rank; a word in the title counts ten in the text. `match` is the post's id again, which the
    engine knows to be in order, too. With `candidate_limit`, only so many of the best of all posts are looked through.
    """
    posts = posts.filter(search__isnull=False).alias(match=F("search__post"))
    posts = posts.annotate(rank=F("search__rank"), snippet=_Snippet(query))
    tables = posts.query.alias_map
    (alias,) = (alias for alias, table in tables.items() if table.table_name == TABLE)
    tables[alias] = _BestMatches(tables[alias], query, candidate_limit)
    return posts


class _BestMatches(Join):
    """A join with the entries that match a query alone, in order of their rank.

    So the engine reads posts in that order, and no more of them than a page takes: without it, it would read all that
    match before it sorts them.
    """

    def __init__(self, join: Join, query: Expression, candidate_limit: Expression | None) -> None:
        self.__dict__.update(join.__dict__)
        self.query, self.candidate_limit = query, candidate_limit

    @property
    def identity(self) -> tuple[Any, ...]:
        return (*super().identity, self.query, self.candidate_limit)

    def relabeled_clone(self, change_map: dict[str | None, str]) -> "_BestMatches":
        plain = Join(
            self.table_name,
            self.parent_alias,
            self.table_alias,
            self.join_type,
            self.join_field,
            self.nullable,
            self.filtered_relation,
        )
        return _BestMatches(plain.relabeled_clone(change_map), self.query, self.candidate_limit)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        joined, params = super().as_sql(compiler, connection)
        query, query_params = compiler.compile(self.query)
        if connection.vendor == "sqlite":
            rank, source, matches, no_limit = "rank", TABLE, f"posts_search = {query}", "-1"
        else:
            rank = f"-ts_rank('{_WEIGHTS}', posts_search, query)::float8"
            source, matches, no_limit = f"{TABLE}, {_TSQUERY.format(query)} query", "posts_search @@ query", "ALL"
        limit, limit_params = compiler.compile(self.candidate_limit) if self.candidate_limit else (no_limit, ())
        select = f"SELECT rowid, {rank} AS rank FROM {source} WHERE {matches} ORDER BY rank, rowid LIMIT {limit}"  # noqa: S608
        table = connection.ops.quote_name(TABLE)
        name = table if self.table_alias == TABLE else ""  # another one follows already
        return joined.replace(table, f"({select}) {name}", 1), (*query_params, *limit_params, *params)


class _Snippet(Func):
    """The place in the text where a post matches best, with what matched between the markers of `highlighted`."""

    output_field = TextField()

    def __init__(self, query: Any) -> None:
        super().__init__("pk", "content", query)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:
        (post, _), _, (query, params) = map(compiler.compile, self.source_expressions)
        snippet = f"SELECT snippet(posts_search, -1, %s, %s, '…', {_SNIPPET_WORDS})"
        # To look for a beginning of a word in one row, FTS5 goes over all rows that have it: first for the whole word.
        whole = f"{snippet} FROM posts_search WHERE posts_search = rtrim({query}, '*') AND rowid = {post}"
        beginning = f"{snippet} FROM posts_search WHERE posts_search = {query} AND rowid = {post}"
        return f"COALESCE(({whole}), ({beginning}))", (_START, _END, *params) * 2

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:
        _, (content, _), (query, params) = map(compiler.compile, self.source_expressions)
        options = f"StartSel={_START}, StopSel={_END}, MaxWords={_SNIPPET_WORDS + 10}, MinWords={_SNIPPET_WORDS}"
        return f"ts_headline('simple', {content}, {_TSQUERY.format(query)}, %s)", (*params, options)
