"""What all schemas share: the bases of inputs and outputs, annotated types, and the schema of problems."""

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from django.utils.dateparse import parse_datetime
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt
from pydantic.json_schema import WithJsonSchema
from pydantic_core import PydanticCustomError

RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
MAX_ID = 2**63 - 1

Item = TypeVar("Item")


def _storable(value: str) -> str:
    # PostgreSQL rejects NUL in text, and neither engine can store a lone surrogate; JSON can express both.
    if "\x00" in value:
        raise PydanticCustomError("string_nul", "Text must not contain a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("string_surrogate", "Text must not contain a lone surrogate") from None
    return value


def _moment(value: object) -> datetime:
    moment = None
    if isinstance(value, str) and RFC3339.fullmatch(value):
        with suppress(ValueError):
            moment = parse_datetime(value.upper())
    if moment is None:
        raise PydanticCustomError("datetime_rfc3339", "Must be a time as in RFC 3339, such as 2026-01-31T12:00:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("datetime_out_of_range", "Must be between the years 1 and 9999, in UTC") from None


Storable = AfterValidator(_storable)
"""Text that both database engines can store. In an `Annotated`, it comes after the constraints."""

Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
"""A time in a request, in the format of RFC 3339; the value is in UTC."""

Flag = StrictBool

Id = Annotated[int, Field(ge=1, le=MAX_ID)]
"""An id in a path or a query."""

BodyId = Annotated[StrictInt, Field(ge=1, le=MAX_ID)]
"""An id in a request body: an integer, not a string."""

Limit = Annotated[int, Field(ge=1, le=100, description="The number of items on a page.")]
Cursor = Annotated[str, Field(max_length=4096, description="The `next` of the previous page.")]

UNSET: Any = None
"""The default of a field that may be absent and must not be null; read it with `model_dump(exclude_unset=True)`."""


class Input(BaseModel):
    """Base of request bodies and query parameters. Unknown fields are errors."""

    model_config = ConfigDict(extra="forbid")


class PageQuery(Input):
    """The query parameters that every list has."""

    limit: Limit = 20
    cursor: Cursor | None = None


class Output(BaseModel):
    """Base of response bodies. It is validated from the attributes of objects, such as model instances."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_serialization_defaults_required=True,
        validate_by_alias=True,  # `validation_alias` names the attribute where it differs from the field,
        validate_by_name=True,  # and a stored response has the names of the fields
    )


class PageOut(Output, Generic[Item]):
    """Base of the pages of a list. `next` is the cursor of the next page, null on the last page."""

    items: list[Item]
    next: str | None


class FieldProblem(Output):
    """An error in one field."""

    pointer: str = Field(description="RFC 6901 pointer: `#/title` in the body, `#/query/limit`, `#/path/post_id`.")
    code: str
    message: str


class Problem(Output):
    """The body of every response with a status of 400 or above (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="A stable name of the problem, in snake_case; the other texts may change.")
    request_id: str
    errors: list[FieldProblem] = Field(description="The errors in fields; empty unless the status is 422.")


def problems(*statuses: int) -> dict[int, type[Problem]]:
    """Return the part of an operation's `response=` that declares problems with these statuses."""
    return dict.fromkeys(statuses, Problem)


def unique(values: Iterable[str]) -> list[str]:
    """Return the values without repetitions, in the order of their first occurrence."""
    return list(dict.fromkeys(values))
