"""QuerySets that become SQL once, and are asked again and again with other values.

To build a QuerySet and to compile it takes Django several times as long as SQLite takes to answer it. A *question* is
a function that builds a QuerySet. It is called once for each set of arguments, in which a `Param` counts as a place
and not by its value: `rows(posts_by, Param(7))` and `rows(posts_by, Param(8))` share one SQL.
"""

import itertools
from collections import namedtuple
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar, cast

import orjson
from asgiref.sync import sync_to_async
from django.core.exceptions import ObjectDoesNotExist
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import (
    BigIntegerField,
    DateTimeField,
    Expression,
    Field,
    FloatField,
    JSONField,
    QuerySet,
    TextField,
    Value,
)
from django.db.models.sql.compiler import SQLCompiler
from django.utils import timezone

Row = TypeVar("Row")

MAX_KEPT = 1000
FIELDS: dict[type, Field[Any, Any]] = {
    datetime: DateTimeField(),
    int: BigIntegerField(),
    float: FloatField(),
    str: TextField(),
}

_preparing: ContextVar[bool] = ContextVar("preparing", default=False)


@dataclass(frozen=True)
class Param:
    """An argument of a question that may have another value each time: a time, an integer or a text."""

    value: Any


class RuntimeValue(Expression):
    """A value in an SQL statement that is found when the statement is run."""

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        return "%s", (self if _preparing.get() else self.bind((), connection),)

    def bind(self, values: Sequence[Any], connection: BaseDatabaseWrapper) -> Any:
        """The value as `connection` takes it; `values` are those of the `Param`, in their order."""
        raise NotImplementedError  # abstract: `Placeholder` and `CurrentTime` say how


class Placeholder(RuntimeValue):
    """Where the value of a `Param` goes."""

    def __init__(self, number: int, kind: type) -> None:
        super().__init__(output_field=FIELDS[kind])
        self.number = number

    def bind(self, values: Sequence[Any], connection: BaseDatabaseWrapper) -> Any:
        return self.output_field.get_db_prep_value(values[self.number], connection)


class CurrentTime(RuntimeValue):
    """The time at which a query is run, by Python's clock, to the microsecond: SQLite's `NOW` ends at the millisecond.

    A QuerySet that compares with it can be kept and asked again.
    """

    output_field = DateTimeField()

    def bind(self, values: Sequence[Any], connection: BaseDatabaseWrapper) -> Any:
        return connection.ops.adapt_datetimefield_value(timezone.now())


def as_expression(value: Any) -> Expression:
    """A value as an expression; a `Placeholder` is one."""
    return value if isinstance(value, Placeholder) else Value(value, output_field=FIELDS[type(value)])


async def rows(question: Callable[..., QuerySet[Any, Row]], *arguments: Any) -> list[Row]:
    """What the QuerySet finds that `question` builds: model instances, or the rows of `values_list(…, named=True)`.

    The arguments are hashable; a `Param` may be in a tuple, too.
    """
    values: list[Any] = []

    def take(given: Param) -> Param:
        values.append(given.value)
        return Param(type(given.value))

    return await _run(_statement(question, _replaced(arguments, take)), values)


async def one(question: Callable[..., QuerySet[Any, Row]], *arguments: Any) -> Row:
    """The one row that a question finds. Raises `ObjectDoesNotExist`."""
    found = await rows(question, *arguments)
    if not found:
        raise ObjectDoesNotExist
    return found[0]


async def count(question: Callable[..., QuerySet[Any, Any]], *arguments: Any) -> int:
    """How many rows a question finds."""
    return await question(*_replaced(arguments, lambda given: given.value)).acount()


class _Statement:
    """A QuerySet, and its SQL as soon as it was asked once."""

    def __init__(self, queryset: QuerySet[Any, Any]) -> None:
        self.queryset = queryset
        self._compiled: tuple[str, Sequence[Any], Callable[[list[Any]], list[Any]]] | None = None

    def run(self, values: Sequence[Any]) -> list[Any]:
        connection = connections[self.queryset.db]
        if self._compiled is None:
            self._compiled = self._compile(connection)
        sql, params, made_of = self._compiled
        bound = [param.bind(values, connection) if isinstance(param, RuntimeValue) else param for param in params]
        with connection.cursor() as cursor:
            cursor.execute(sql, bound)
            return made_of(cursor.fetchall())

    def _compile(self, connection: BaseDatabaseWrapper) -> tuple[str, Sequence[Any], Callable[[list[Any]], list[Any]]]:
        compiler = self.queryset.query.get_compiler(connection=connection)
        token = _preparing.set(True)
        try:
            sql, params = compiler.as_sql()
        finally:
            _preparing.reset(token)
        row_of = _row_maker(self.queryset, compiler)
        converters = [
            (number, _converter(functions, column, connection))
            for number, (functions, column) in compiler.get_converters(
                [column for column, *_ in compiler.select]
            ).items()
        ]

        def made_of(found: Iterable[Sequence[Any]]) -> list[Any]:
            made = []
            for row in map(list, found):
                for number, convert in converters:
                    row[number] = convert(row[number])
                made.append(row_of(row))
            return made

        return sql, params, made_of


_run = sync_to_async(_Statement.run)


@lru_cache(MAX_KEPT)
def _statement(question: Callable[..., QuerySet[Any, Any]], shape: tuple[Any, ...]) -> _Statement:
    numbers = itertools.count()
    return _Statement(question(*_replaced(shape, lambda kind: Placeholder(next(numbers), kind.value))))


def _replaced(argument: Any, replace: Callable[[Param], Any]) -> Any:
    """The argument, with each `Param` in it replaced."""
    if isinstance(argument, Param):
        return replace(argument)
    return tuple(_replaced(item, replace) for item in argument) if isinstance(argument, tuple) else argument


def _converter(functions: list[Any], column: Any, connection: BaseDatabaseWrapper) -> Callable[[Any], Any]:
    """What Django's converters of a column do, as one function."""
    field = column.output_field
    if isinstance(field, DateTimeField) and connection.vendor == "sqlite":
        return _in_utc
    if isinstance(field, JSONField) and field.decoder is None:
        return _read_json

    def converted(value: Any) -> Any:
        for function in functions:
            value = function(value, column, connection)
        return value

    return converted


def _in_utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


def _read_json(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)


def _row_maker(queryset: QuerySet[Any, Any], compiler: SQLCompiler) -> Callable[[list[Any]], Any]:
    """What `ModelIterable` and `NamedValuesListIterable` do, with all that is the same for each row done once."""
    if names := queryset._fields:  # type: ignore[attr-defined]
        row_type: Any = namedtuple("row_type", names)  # type: ignore[misc]
        return cast(Callable[[list[Any]], Any], row_type._make)
    loaded = _loader(compiler.klass_info or {}, compiler.select, queryset.db)
    annotations = list((compiler.annotation_col_map or {}).items())

    def annotated(row: list[Any]) -> Any:
        instance = loaded(row)
        for name, number in annotations:
            setattr(instance, name, row[number])
        return instance

    return annotated if annotations else loaded


def _loader(info: dict[str, Any], select: list[Any], db: str) -> Callable[[list[Any]], Any]:
    """Makes an instance of a row, with those that `select_related` names; None where there is no such row."""
    from_db = info["model"].from_db
    first, last = info["select_fields"][0], info["select_fields"][-1] + 1
    names = [column.target.attname for column, *_ in select[first:last]]
    primary_key = first + names.index(info["model"]._meta.pk.attname)
    related = [(inner["local_setter"], _loader(inner, select, db)) for inner in info.get("related_klass_infos", ())]

    def load(row: list[Any]) -> Any:
        if row[primary_key] is None:
            return None
        instance = from_db(db, names, row[first:last])
        for set_related, load_related in related:
            set_related(instance, load_related(row))
        return instance

    return load
