"""The keyset cursor: pages that neither skip nor repeat a row, whatever is written between them.

A page remembers the sort values of its last row, and the next one starts behind them. The last key of an order is
unique, so that any number of rows may share the other values.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.core import signing
from django.db.models import BooleanField, F, Func, OrderBy, Q, QuerySet, TextField
from django.utils.dateparse import parse_datetime

from blogsite.db import compiled_queries
from blogsite.db.compiled_queries import Param, as_expression
from blogsite.errors import FieldError, Invalid
from blogsite.http.schemas import PageQuery

_signer = signing.Signer(salt="blogsite.pagination", sep=".")


@dataclass(frozen=True)
class Order:
    """An order of rows: a name, and its keys, the last of them unique. Nulls of the first key sort last.

    `columns` have the same values as the keys, where an index serves these and not those.
    """

    name: str
    keys: tuple[str, ...]
    descending: bool = False
    nullable: bool = False
    columns: tuple[str, ...] = ()

    def apply(self, queryset: QuerySet[Any, Any]) -> QuerySet[Any, Any]:
        """The rows in this order."""
        first, *rest = (OrderBy(F(column), descending=self.descending) for column in self._columns)
        first.nulls_last = self.nullable or None  # type: ignore[assignment] # False would be an error of Django's
        return queryset.order_by(first, *rest)

    def behind(self, values: Sequence[Any]) -> Q:
        """The condition of the rows that come after the one with these values of the keys."""
        first, *rest = self._columns
        if values[0] is None:
            return Q(**{f"{first}__isnull": True}) & Q(self._compare(rest, values[1:]))
        behind = Q(self._compare(self._columns, values))
        return behind | Q(**{f"{first}__isnull": True}) if self.nullable else behind

    @property
    def _columns(self) -> tuple[str, ...]:
        return self.columns or self.keys

    def _compare(self, columns: Sequence[str], values: Sequence[Any]) -> "_RowComparison":
        row = _Row(*map(F, columns))
        bounds = _Row(*(as_expression(value) for value in values))
        return _RowComparison(row, bounds, arg_joiner=" < " if self.descending else " > ")


class Page(NamedTuple):
    """Some rows in order, and the cursor of those that follow, if any do."""

    items: list[Any]
    next: str | None


async def paginate(
    question: Callable[..., QuerySet[Any, Any]], *arguments: Any, order: Order, query: PageQuery
) -> Page:
    """Read the page that `query` asks for, of the rows that the question finds (`blogsite.db.compiled_queries`).

    Raises `Invalid` for a cursor that we did not sign for this order.
    """
    limit, cursor = query.limit, query.cursor
    behind = None
    if cursor is not None:
        behind = tuple(None if value is None else Param(value) for value in _read_cursor(cursor, order))
    rows = await compiled_queries.rows(_rows, question, arguments, order, limit + 1, behind)
    if len(rows) <= limit:
        return Page(rows, None)
    rows.pop()
    values = [_portable(getattr(rows[-1], key)) for key in order.keys]
    return Page(rows, _signer.sign_object([order.name, *values]))


def _rows(
    question: Callable[..., QuerySet[Any, Any]],
    arguments: tuple[Any, ...],
    order: Order,
    limit: int,
    behind: tuple[Any, ...] | None,
) -> QuerySet[Any, Any]:
    found = question(*arguments)
    if behind is not None:
        found = found.filter(order.behind(behind))
    return order.apply(found)[:limit]


def _read_cursor(cursor: str, order: Order) -> list[Any]:
    try:
        name, *values = _signer.unsign_object(cursor)
    except (signing.BadSignature, ValueError):
        name, values = None, []
    if name != order.name or len(values) != len(order.keys):
        message = "Must be the `next` of a list in the same order"
        raise Invalid(errors=[FieldError("#/query/cursor", "cursor_invalid", message)])
    return [parse_datetime(value["time"]) if isinstance(value, dict) else value for value in values]


def _portable(value: Any) -> Any:
    return {"time": value.isoformat()} if isinstance(value, datetime) else value


class _Row(Func):
    """A row value, `(a, b)`, which both engines compare by an index: https://sqlite.org/rowvalue.html."""

    function = ""
    output_field = TextField()


class _RowComparison(Func):
    """A comparison of two rows. Django's own tuple lookups become an OR on SQLite, which no index serves."""

    template = "%(expressions)s"
    output_field = BooleanField()
    conditional = True
