"""Keyset pagination in SQL: a page starts after the sort values of the last row of the page before.

No row is skipped or repeated, whatever is written between two pages: https://use-the-index-luke.com/no-offset.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import BooleanField, F, Func, OrderBy, Q, QuerySet, TextField

from blogsite.db.compiled_queries import as_expression

Rows = TypeVar("Rows", bound=QuerySet[Any, Any])


@dataclass(frozen=True)
class Order:
    """A sort order of rows. The last key is unique, so that any number of rows may share the other values.

    `keys` are the attributes of a row whose values a cursor holds. `columns`, if they differ from the keys, name other
    columns with the same values, which an index serves. Nulls of a `nullable` first key sort last.
    """

    name: str
    keys: tuple[str, ...]
    descending: bool = False
    nullable: bool = False
    columns: tuple[str, ...] = ()

    def apply(self, queryset: Rows) -> Rows:
        """Return the rows in this order."""
        first, *rest = (OrderBy(F(column), descending=self.descending) for column in self._columns)
        first.nulls_last = self.nullable or None  # type: ignore[assignment] # Django refuses False
        return queryset.order_by(first, *rest)

    def after(self, values: Sequence[Any]) -> Q:
        """Return the condition for the rows that follow the row with these values of the keys."""
        first, *rest = self._columns
        if values[0] is None:
            return Q(**{f"{first}__isnull": True}) & Q(self._compare(rest, values[1:]))
        after = Q(self._compare(self._columns, values))
        return after | Q(**{f"{first}__isnull": True}) if self.nullable else after

    @property
    def _columns(self) -> tuple[str, ...]:
        return self.columns or self.keys

    def _compare(self, columns: Sequence[str], values: Sequence[Any]) -> "_RowComparison":
        row = _RowValue(*map(F, columns))
        bounds = _RowValue(*map(as_expression, values))
        return _RowComparison(row, bounds, arg_joiner=" < " if self.descending else " > ")


@dataclass(frozen=True)
class Slice:
    """The first `size` rows of an order. `size` is not a parameter of the SQL: each has its own statement."""

    order: Order
    size: int


class _RowValue(Func):
    """A row value, `(a, b)`, which both engines compare by an index: https://sqlite.org/rowvalue.html."""

    function = ""
    output_field = TextField()


class _RowComparison(Func):
    """A comparison of two row values. Django's own tuple lookups become an OR on SQLite, which no index serves."""

    template = "%(expressions)s"
    output_field = BooleanField()
    conditional = True
