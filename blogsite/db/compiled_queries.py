"""Queries whose SQL is compiled once and executed many times with different parameters.

Django takes several times longer to build a QuerySet and to compile it than SQLite takes to answer it. A function that
is decorated with `@compiled` builds a QuerySet from its arguments; it is called once for each combination of
arguments, and its SQL is kept:

    @compiled
    def post_by_id(access: Access, post_id: int) -> QuerySet[Post]:
        return Post.objects.visible_to(access).filter(pk=post_id)

    post = await post_by_id(access, 7).aget()

Arguments whose type is exactly `int`, `float`, `str` or `datetime` become parameters of the SQL, also within tuples:
the function receives a `Placeholder` for each of them, so it may compare with them and must not look at them. All other
arguments (None, booleans, enums, dataclasses) select the SQL: the function sees their values.
"""

import itertools
from collections import namedtuple
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, update_wrapper
from typing import Any, Generic, TypeVar, TypeVarTuple, cast

import orjson
from asgiref.sync import sync_to_async
from django.core.exceptions import ObjectDoesNotExist
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, Expression, QuerySet, Value
from django.db.models.sql.compiler import SQLCompiler
from django.utils import timezone

Row = TypeVar("Row")
Arguments = TypeVarTuple("Arguments")

MAX_STATEMENTS = 1000
PARAMETER_FIELDS: dict[type, models.Field[Any, Any]] = {
    datetime: DateTimeField(),
    int: models.BigIntegerField(),
    float: models.FloatField(),
    str: models.TextField(),
}

_compiling: ContextVar[bool] = ContextVar("compiling", default=False)


class RuntimeValue(Expression):
    """A value in an SQL statement that is determined when the statement is executed."""

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        return "%s", (self if _compiling.get() else self.bind((), connection),)

    def bind(self, parameters: Sequence[Any], connection: BaseDatabaseWrapper) -> Any:
        """Return the value in the form that `connection` takes; `parameters` are those of the execution, in order."""
        raise NotImplementedError  # abstract: implemented by `Placeholder` and `CurrentTime`


class Placeholder(RuntimeValue):
    """Stands in a QuerySet for the parameter with this number."""

    def __init__(self, number: int, kind: type) -> None:
        super().__init__(output_field=PARAMETER_FIELDS[kind])
        self.number = number

    def bind(self, parameters: Sequence[Any], connection: BaseDatabaseWrapper) -> Any:
        return self.output_field.get_db_prep_value(parameters[self.number], connection)


class CurrentTime(RuntimeValue):
    """The time at which a query is executed, from Python's clock: SQLite's own has no microseconds.

    A QuerySet that compares with it can be kept and executed again.
    """

    output_field = DateTimeField()

    def bind(self, parameters: Sequence[Any], connection: BaseDatabaseWrapper) -> Any:
        return connection.ops.adapt_datetimefield_value(timezone.now())


def as_expression(value: Any) -> Expression:
    """Return `value` as an expression for the parts of a QuerySet that take no plain values."""
    return value if isinstance(value, Placeholder) else Value(value, output_field=PARAMETER_FIELDS[type(value)])


class compiled(Generic[*Arguments, Row]):
    """Decorates a function that builds a QuerySet. A call with positional arguments returns a `CompiledQuery`."""

    def __init__(self, build: Callable[[*Arguments], QuerySet[Any, Row]]) -> None:
        self.build = build
        update_wrapper(self, build)

    def __call__(self, *arguments: *Arguments) -> "CompiledQuery[Row]":
        return CompiledQuery(self.build, arguments)


@dataclass(frozen=True, slots=True)
class CompiledQuery(Generic[Row]):
    """A query with its arguments. Like a QuerySet, it reads the database only when it is awaited."""

    build: Callable[..., QuerySet[Any, Row]]
    arguments: tuple[Any, ...]

    async def alist(self) -> list[Row]:
        """Return all rows: model instances, or the named tuples of `values_list(named=True)`."""
        parameters: list[Any] = []

        def take_parameter(value: Any) -> type:
            parameters.append(value)
            return type(value)

        shape = _map_parameters(self.arguments, lambda value: type(value) in PARAMETER_FIELDS, take_parameter)
        return await _execute(_statement(self.build, shape), parameters)

    async def afirst(self) -> Row | None:
        """Return the first row, or None if there is none."""
        rows = await self.alist()
        return rows[0] if rows else None

    async def aget(self) -> Row:
        """Return the only row. Raises `ObjectDoesNotExist` if there is none."""
        row = await self.afirst()
        if row is None:
            raise ObjectDoesNotExist
        return row

    async def acount(self) -> int:
        return await self.build(*self.arguments).acount()


class _Statement:
    """A QuerySet whose SQL is compiled at the first execution."""

    def __init__(self, queryset: QuerySet[Any, Any]) -> None:
        self.queryset = queryset
        self._compiled: tuple[str, Sequence[Any], Callable[[list[Any]], list[Any]]] | None = None

    def execute(self, parameters: Sequence[Any]) -> list[Any]:
        connection = connections[self.queryset.db]
        if self._compiled is None:
            self._compiled = self._compile(connection)
        sql, sql_params, make_rows = self._compiled
        bound = [item.bind(parameters, connection) if isinstance(item, RuntimeValue) else item for item in sql_params]
        with connection.cursor() as cursor:
            cursor.execute(sql, bound)
            return make_rows(cursor.fetchall())

    def _compile(self, connection: BaseDatabaseWrapper) -> tuple[str, Sequence[Any], Callable[[list[Any]], list[Any]]]:
        compiler = self.queryset.query.get_compiler(connection=connection)
        token = _compiling.set(True)
        try:
            sql, sql_params = compiler.as_sql()
        finally:
            _compiling.reset(token)
        make_row = _row_maker(self.queryset, compiler)
        columns = [column for column, *_ in compiler.select]
        converters = [
            (number, _converter(functions, column, connection))
            for number, (functions, column) in compiler.get_converters(columns).items()
        ]

        def make_rows(fetched: Iterable[Sequence[Any]]) -> list[Any]:
            rows = []
            for row in map(list, fetched):
                for number, convert in converters:
                    row[number] = convert(row[number])
                rows.append(make_row(row))
            return rows

        return sql, sql_params, make_rows


_execute = sync_to_async(_Statement.execute)


@lru_cache(MAX_STATEMENTS)
def _statement(build: Callable[..., QuerySet[Any, Any]], shape: tuple[Any, ...]) -> _Statement:
    """Return the statement of a query; in `shape`, a type stands for each parameter among its arguments."""
    numbers = itertools.count()
    arguments = _map_parameters(shape, PARAMETER_FIELDS.__contains__, lambda kind: Placeholder(next(numbers), kind))
    return _Statement(build(*arguments))


def _map_parameters(argument: Any, is_parameter: Callable[[Any], bool], function: Callable[[Any], Any]) -> Any:
    """Return the argument with `function` applied to each parameter in it; tuples and named tuples are searched."""
    if isinstance(argument, tuple):
        items = [_map_parameters(item, is_parameter, function) for item in argument]
        return type(argument)(*items) if hasattr(argument, "_fields") else tuple(items)
    return function(argument) if is_parameter(argument) else argument


def _converter(functions: list[Any], column: Any, connection: BaseDatabaseWrapper) -> Callable[[Any], Any]:
    """Return one function that does what Django's converters of a column do."""
    field = column.output_field
    if isinstance(field, DateTimeField) and connection.vendor == "sqlite":
        return lambda time: time and time.replace(tzinfo=UTC)
    if isinstance(field, models.JSONField) and field.decoder is None:
        return lambda text: None if text is None else orjson.loads(text)

    def convert(value: Any) -> Any:
        for function in functions:
            value = function(value, column, connection)
        return value

    return convert


def _row_maker(queryset: QuerySet[Any, Any], compiler: SQLCompiler) -> Callable[[list[Any]], Any]:
    """Return a function that does what Django's `ModelIterable` or `NamedValuesListIterable` does with each row."""
    if names := queryset._fields:  # type: ignore[attr-defined]
        row_type: Any = namedtuple("Row", names)  # type: ignore[misc]
        return cast(Callable[[list[Any]], Any], row_type._make)
    load = _instance_loader(compiler.klass_info or {}, compiler.select, queryset.db)
    annotations = list((compiler.annotation_col_map or {}).items())

    def load_annotated(row: list[Any]) -> Any:
        instance = load(row)
        for name, number in annotations:
            setattr(instance, name, row[number])
        return instance

    return load_annotated if annotations else load


def _instance_loader(info: dict[str, Any], select: list[Any], db: str) -> Callable[[list[Any]], Any]:
    """Return a function that makes an instance from a row, with its related instances; None where a row is absent."""
    from_db = info["model"].from_db
    first, last = info["select_fields"][0], info["select_fields"][-1] + 1
    names = [column.target.attname for column, *_ in select[first:last]]
    primary_key = first + names.index(info["model"]._meta.pk.attname)
    inner_infos = info.get("related_klass_infos", ())
    related = [(inner["local_setter"], _instance_loader(inner, select, db)) for inner in inner_infos]

    def load(row: list[Any]) -> Any:
        if row[primary_key] is None:
            return None
        instance = from_db(db, names, row[first:last])
        for set_related, load_related in related:
            set_related(instance, load_related(row))
        return instance

    return load
