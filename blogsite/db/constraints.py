"""Translates violations of unique constraints into domain errors."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import IntegrityError, transaction

from blogsite.errors import BlogError


@contextmanager
def translate_integrity_errors(conflicts: Mapping[str, type[BlogError]]) -> Iterator[None]:
    """Run the block in a savepoint. If it violates a unique constraint, raise the domain error of that constraint.

    The keys of `conflicts` are the names in the database's error message: that of the constraint, or `table.column` on
    SQLite for a constraint over plain columns. Any other `IntegrityError` is raised unchanged.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as exc:
        # PostgreSQL reports the constraint's name; its message also contains values, which could contain any name.
        constraint = getattr(getattr(exc.__cause__, "diag", None), "constraint_name", None)
        for name, error in conflicts.items():
            if name == constraint or (constraint is None and name in str(exc)):
                raise error from exc
        raise
