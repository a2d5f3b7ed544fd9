"""Full-text search: FTS5 on SQLite, `tsvector` on PostgreSQL, behind one scope, `PostQuerySet.found_by`.

The triggers of the database (`posts.triggers`) update the index `posts_search`, which has one row for each post
(`posts.models.SearchEntry`). Both engines ignore case and diacritics. There is no stemming. Text without spaces between
words, such as Chinese, is found only by the beginnings of its parts.
"""

import html
import re
from copy import copy
from typing import Any

from django.conf import settings
from django.db.models import Expression, F, Func, TextField
from django.db.models.sql.datastructures import Join

# Private-use characters that mark the matches in a snippet until the snippet is escaped.
_START, _END = "\ue000", "\ue001"
_MATCH = re.compile(f"{_START}([^{_START}{_END}]*){_END}")
_TERMS = re.compile(r'"([^"]*)"?|(\S+)')
_WORDS = re.compile(r"\w+")
_SNIPPET_WORDS = 30
_WEIGHTS = "{0.1, 0.1, 0.1, 1.0}"
_TSQUERY = "to_tsquery('simple', unaccent({}))"
TABLE = "posts_search"


def parse_query(text: str) -> str:
    """Translate a user's search into the query language of the engine.

    A post must contain all words and all "phrases"; the last word matches as a prefix. The text has no operators, so
    every text is valid. A text without words matches no post.
    """
    terms = [(phrase if phrase else word, bool(word)) for phrase, word in _TERMS.findall(text.replace("\x00", " "))]
    return (_fts5 if settings.ON_SQLITE else _tsquery)(terms)


def _fts5(terms: list[tuple[str, bool]]) -> str:
    quoted = ['"' + term.replace('"', '""') + '"' for term, _ in terms]
    is_prefix = bool(terms) and terms[-1][1] and _WORDS.search(terms[-1][0])
    return " ".join(quoted) + ("*" if is_prefix else "") or '""'


def _tsquery(terms: list[tuple[str, bool]]) -> str:
    parts = []
    for number, (term, is_word) in enumerate(terms, 1):
        words = [f"'{word}'" for word in _WORDS.findall(term)]
        if words and is_word and number == len(terms):
            words[-1] += ":*"
        parts += [" <-> ".join(words)] if words else []
    return " & ".join(f"({part})" for part in parts)


def highlight_html(snippet: str | None) -> str | None:
    """Return a snippet as safe HTML, with `<mark>` around the matches."""
    if snippet is None:
        return None
    highlighted = _MATCH.sub(r"<mark>\1</mark>", html.escape(snippet))
    return highlighted.replace(_START, "").replace(_END, "")


def with_matches(posts: Any, query: Expression, candidate_limit: int | None) -> Any:
    """Filter a QuerySet of posts by a query of `parse_query`, and annotate each post with its `rank` and `snippet`.

    The best match has the lowest rank; a word in the title counts as much as ten in the content. The alias `match` is
    the post's id, by which the matches are sorted, too, without a sort of the posts. With `candidate_limit`, only so
    many of the best matches among all posts are considered.
    """
    posts = posts.filter(search__isnull=False).alias(match=F("search__post"))
    posts = posts.annotate(rank=F("search__rank"), snippet=_Snippet(query))
    tables = posts.query.alias_map
    (alias,) = (alias for alias, table in tables.items() if table.table_name == TABLE)
    tables[alias] = _BestMatches(tables[alias], query, candidate_limit)
    return posts


class _BestMatches(Join):
    """A join with a subquery of the matching entries, in the order of their rank.

    The engine reads the posts in this order, and only as many as a page needs. With an ordinary join it would read all
    matching posts before sorting them.
    """

    def __init__(self, join: Join, query: Expression, candidate_limit: int | None) -> None:
        self.__dict__.update(join.__dict__)
        self.query, self.candidate_limit = query, candidate_limit

    @property
    def identity(self) -> tuple[Any, ...]:
        return (*super().identity, self.query, self.candidate_limit)

    def relabeled_clone(self, change_map: dict[str | None, str]) -> "_BestMatches":
        clone = copy(self)
        clone.parent_alias = change_map.get(self.parent_alias, self.parent_alias)
        clone.table_alias = change_map.get(self.table_alias, self.table_alias)
        return clone

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        joined, params = super().as_sql(compiler, connection)
        query, query_params = compiler.compile(self.query)
        if connection.vendor == "sqlite":
            rank, source, matches, no_limit = "rank", TABLE, f"posts_search = {query}", "-1"
        else:
            rank = f"-ts_rank('{_WEIGHTS}', posts_search, query)::float8"
            source, matches, no_limit = f"{TABLE}, {_TSQUERY.format(query)} query", "posts_search @@ query", "ALL"
        # Not a parameter: SQLite plans a slower query for a limit that it does not know.
        limit = no_limit if self.candidate_limit is None else self.candidate_limit
        select = f"SELECT rowid, {rank} AS rank FROM {source} WHERE {matches} ORDER BY rank, rowid LIMIT {limit}"  # noqa: S608
        table = connection.ops.quote_name(TABLE)
        name = table if self.table_alias == TABLE else ""  # Django has already added another alias
        return joined.replace(table, f"({select}) {name}", 1), (*query_params, *params)


class _Snippet(Func):
    """The part of the content that matches best, with the matches between the markers that `highlight_html` expects."""

    output_field = TextField()

    def __init__(self, query: Any) -> None:
        super().__init__("pk", "content", query)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:
        (post, _), _, (query, params) = map(compiler.compile, self.source_expressions)
        snippet = f"SELECT snippet(posts_search, -1, %s, %s, '…', {_SNIPPET_WORDS})"
        # A prefix query for one row scans all rows with that prefix, so that the whole word is tried first.
        whole = f"{snippet} FROM posts_search WHERE posts_search = rtrim({query}, '*') AND rowid = {post}"
        prefix = f"{snippet} FROM posts_search WHERE posts_search = {query} AND rowid = {post}"
        return f"COALESCE(({whole}), ({prefix}))", (_START, _END, *params) * 2

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:
        _, (content, _), (query, params) = map(compiler.compile, self.source_expressions)
        options = f"StartSel={_START}, StopSel={_END}, MaxWords={_SNIPPET_WORDS + 10}, MinWords={_SNIPPET_WORDS}"
        return f"ts_headline('simple', {content}, {_TSQUERY.format(query)}, %s)", (*params, options)
