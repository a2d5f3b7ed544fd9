"""What all schemas share: the bases of inputs and outputs, the annotated types, and the Problem."""

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any

from django.utils.dateparse import parse_datetime
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool
from pydantic.json_schema import WithJsonSchema
from pydantic_core import PydanticCustomError

RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
MAX_ID = 2**63 - 1


def _storable(value: str) -> str:
    # PostgreSQL refuses NUL in text and neither engine stores a lone surrogate, but JSON can spell both.
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
"""Only text that both database engines store. In an `Annotated` it stands behind the constraints."""

Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
"""A time in a request: RFC 3339, in UTC once it is read."""

Flag = StrictBool

Id = Annotated[int, Field(ge=1, le=MAX_ID)]
"""The id of a row."""

Limit = Annotated[int, Field(ge=1, le=100, description="How many items a page has.")]
Cursor = Annotated[str, Field(max_length=4096, description="The `next` of the page before.")]

ABSENT: Any = None
"""Default of a field that may be left out and must not be null: read with `model_dump(exclude_unset=True)`."""


class Input(BaseModel):
    """Base of request bodies and query parameters: what is not declared is refused."""

    model_config = ConfigDict(extra="forbid")


class PageQuery(Input):
    """The query parameters of every list."""

    limit: Limit = 20
    cursor: Cursor | None = None


class Output(BaseModel):
    """Base of response bodies, made from model instances. A plain pydantic class: ninja's own is eight times slower."""

    model_config = ConfigDict(from_attributes=True, json_schema_serialization_defaults_required=True)


class FieldProblem(Output):
    """What is wrong with one field."""

    pointer: str = Field(description="RFC 6901 pointer: `#/title` in the body, `#/query/limit`, `#/path/post_id`.")
    code: str
    message: str


class Problem(Output):
    """Every answer from 400 up (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="Stable, in snake_case; the texts may change.")
    request_id: str
    errors: list[FieldProblem] = Field(description="Empty, but for a 422.")


def problems(*statuses: int) -> dict[int, type[Problem]]:
    """The part of an operation's `response=` that says with which problems it may answer."""
    return dict.fromkeys(statuses, Problem)


def unique(values: Iterable[str]) -> list[str]:
    """The values without repeats, in order of their first appearance."""
    return list(dict.fromkeys(values))
