"""Pages of lists, with cursors that clients pass back and cannot forge."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.core import signing
from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime

from blogsite.db.compiled_queries import CompiledQuery
from blogsite.db.keyset import Order, Slice
from blogsite.errors import FieldError, Invalid
from blogsite.http.schemas import PageQuery

Row = TypeVar("Row")

_signer = signing.Signer(salt="blogsite.pagination", sep=".")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """The rows of one page, and the cursor of the next page, or None on the last page."""

    items: list[Row]
    next: str | None


async def fetch_page(query: CompiledQuery[Row], order: Order, page: PageQuery) -> Page[Row]:
    """Return the page of `query` that a request asks for.

    Raises `Invalid` for a cursor that we did not sign for this order.
    """
    after = None if page.cursor is None else _read_cursor(page.cursor, order)
    # One more row than the page has: its presence tells that another page follows.
    arguments = (query.build, query.arguments, Slice(order, page.limit + 1), after)
    rows: list[Row] = await CompiledQuery(_build_slice, arguments).alist()
    if len(rows) <= page.limit:
        return Page(rows, None)
    rows.pop()
    values = [_to_json(getattr(rows[-1], key)) for key in order.keys]
    return Page(rows, _signer.sign_object([order.name, *values]))


def _build_slice(
    build: Callable[..., QuerySet[Any, Any]], arguments: tuple[Any, ...], part: Slice, after: tuple[Any, ...] | None
) -> QuerySet[Any, Any]:
    rows = build(*arguments)
    rows = rows if after is None else rows.filter(part.order.after(after))
    return part.order.apply(rows)[: part.size]


def _read_cursor(cursor: str, order: Order) -> tuple[Any, ...]:
    try:
        name, *values = _signer.unsign_object(cursor)
    except (signing.BadSignature, ValueError):
        name, values = None, []
    if name != order.name or len(values) != len(order.keys):
        message = "Must be the `next` of a list in the same order"
        raise Invalid(errors=[FieldError("#/query/cursor", "cursor_invalid", message)])
    return tuple(parse_datetime(value["time"]) if isinstance(value, dict) else value for value in values)


def _to_json(value: Any) -> Any:
    return {"time": value.isoformat()} if isinstance(value, datetime) else value
