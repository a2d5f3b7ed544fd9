"""How rows become model instances, quickly."""

from collections.abc import Collection
from typing import Any, Self

from django.db import models
from django.db.models.base import ModelState

from blogsite.db.compiled_queries import CurrentTime


class FastLoadingModel(models.Model):
    """A model whose instances are made of a row without `__init__` and its signals: five times as quick.

    Django lets a model customise this (https://docs.djangoproject.com/en/5.2/ref/models/instances/#customizing-model-loading).
    Fields that were not asked for stay deferred. No receiver of `pre_init` or `post_init` hears of a loaded instance.
    """

    class Meta:
        abstract = True

    @classmethod
    def from_db(  # type: ignore[override] # a parameter of Django 6.1, which the stubs know already
        cls, db: str | None, field_names: Collection[str], values: Collection[Any]
    ) -> Self:
        instance = cls.__new__(cls)
        instance.__dict__.update(zip(field_names, values))  # noqa: B905 - as long as each other, and a check costs
        instance._state = state = _StoredState()
        state.db = db
        return instance


class _StoredState(ModelState):
    adding = False


class HasPassed(models.Func):
    """Whether a time is not in the future, as a condition.

    On SQLite the column bears a `+`, by which an index is left to serve the order and the cursor: the planner would
    take this bound, which nearly every row meets, for the range to search, and walk to a page far down row by row
    (https://sqlite.org/optoverview.html#disqualifying_where_clause_terms_using_unary_).
    """

    arity = 1
    output_field = models.BooleanField()

    def as_sql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:  # type: ignore[override]
        sql, params = compiler.compile(self.source_expressions[0])
        now, moment = CurrentTime().as_sql(compiler, connection)
        return f"{sql} <= {now}", (*params, *moment)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:
        sql, params = self.as_sql(compiler, connection)
        return f"+{sql}", params
