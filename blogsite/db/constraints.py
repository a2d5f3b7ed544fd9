"""The database keeps the promises; this explains which of them a write would have broken."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import IntegrityError, transaction

from blogsite.errors import BlogError


@contextmanager
def translate_integrity_errors(conflicts: Mapping[str, type[BlogError]]) -> Iterator[None]:
    """Run one statement in a savepoint, and raise the domain error of the unique constraint that it broke.

    `conflicts` is keyed by what the engine's message names: the constraint, or on SQLite, for a constraint over plain
    columns, `table.column`. Any other `IntegrityError` passes unchanged.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as exc:
        # PostgreSQL names the constraint; its text holds the values too, which may spell any name.
        named = getattr(getattr(exc.__cause__, "diag", None), "constraint_name", None)
        for name, error in conflicts.items():
            if name == named or (named is None and name in str(exc)):
                raise error from exc
        raise
