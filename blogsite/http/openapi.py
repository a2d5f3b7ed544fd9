"""What the OpenAPI document says of operations beside what ninja finds out by itself."""

from typing import Any

from blogsite.http import problems


def header(name: str, description: str) -> dict[str, Any]:
    """A parameter of an operation that reads a header of requests."""
    return {"in": "header", "name": name, "required": False, "schema": {"type": "string"}, "description": description}


IF_MATCH = header("If-Match", "Refuse the change (412) unless this is the current `ETag`: its version counts.")
IF_NONE_MATCH = header("If-None-Match", "Answer 304 if this is the current `ETag`.")
IDEMPOTENCY_KEY = {
    "parameters": [header("Idempotency-Key", "The same request again, within 24 hours, gets the first answer.")]
}
"""The `openapi_extra` of an operation that is done once for each key."""


def complete(method: str, operation: dict[str, Any]) -> None:
    """Add what follows from an operation's shape, and give all problems their media type."""
    parameters = operation.setdefault("parameters", [])
    if method == "get":
        operation["responses"][304] = {"description": "`If-None-Match` has the current `ETag`"}
        parameters.append(IF_NONE_MATCH)
    if 412 in operation["responses"]:
        parameters.append(IF_MATCH)
    statuses = {422, 500, 503}
    if "requestBody" in operation:
        statuses |= {400, 408, 413, 415}
    if "security" in operation:
        statuses |= {401, 429}
    schema = {"$ref": "#/components/schemas/Problem"}
    for status in statuses:
        operation["responses"].setdefault(status, {"description": _REASONS[status]})
    for status, response in operation["responses"].items():
        if int(status) >= 400:
            response["content"] = {problems.CONTENT_TYPE: {"schema": schema}}
    operation["responses"] = dict(sorted(operation["responses"].items()))


_REASONS = {
    400: "Malformed",
    401: "No token, or a bad one",
    408: "The body came too slowly",
    413: "The body is too large",
    415: "The body is not of a type that is read here",
    422: "Validation failed",
    429: "Too many failures",
    500: "A mistake of ours",
    503: "Try again later",
}
