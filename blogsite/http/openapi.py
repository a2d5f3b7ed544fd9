"""The headers and responses that are added to the OpenAPI document that ninja generates."""

from typing import Any

from blogsite.errors import BlogError
from blogsite.http import problems

_TITLES = {family.status: family.title for family in BlogError.__subclasses__()}


def header(name: str, description: str) -> dict[str, Any]:
    """Return the OpenAPI parameter for this request header."""
    return {"in": "header", "name": name, "required": False, "schema": {"type": "string"}, "description": description}


IF_MATCH = header("If-Match", "Changes nothing and returns 412 unless this `ETag` names the current version.")
IF_NONE_MATCH = header("If-None-Match", "Returns 304 without a body if this is the current `ETag`.")
IDEMPOTENCY_KEY = {
    "parameters": [header("Idempotency-Key", "A repetition with the same key within 24 hours gets the first response.")]
}
"""The `openapi_extra` of an operation that accepts an `Idempotency-Key`."""


def add_implied_responses(method: str, operation: dict[str, Any]) -> None:
    """Add the headers and problems that every operation of this kind has, and the media type of problems."""
    parameters = operation.setdefault("parameters", [])
    if method == "get":
        operation["responses"][304] = {"description": "The client already has the current representation"}
        parameters.append(IF_NONE_MATCH)
    if 412 in operation["responses"]:
        parameters.append(IF_MATCH)
    statuses = {422, 500, 503}
    if "requestBody" in operation:
        statuses |= {400, 408, 413, 415}
    if "security" in operation:
        statuses |= {401, 429}
    for status in statuses:
        operation["responses"].setdefault(status, {"description": _TITLES[status]})
    for status, response in operation["responses"].items():
        if int(status) >= 400:
            response["content"] = {problems.CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operation["responses"] = dict(sorted(operation["responses"].items()))
