"""The operations of the API, read from its OpenAPI document, so that a test can cover every one of them."""

import json
from typing import Any

from blogsite.api import api

ROOT = "/api/v1"

# Values for the parameters in paths. No row has to have them.
_PATH_VALUES = {
    **dict.fromkeys(("post_id", "user_id", "session_id", "token_id", "media_id", "version"), 1),
    **{"slug": "a", "tag": "a", "token": "a", "username": "somebody"},
}


def document() -> dict[str, Any]:
    """The OpenAPI document, as a client reads it."""
    result: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema()))
    return result


OPERATIONS: list[tuple[str, str, dict[str, Any]]] = [
    (method.upper(), path, operation)
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
]
"""The method, the path and the description of every operation."""

IDS: list[str] = [operation["operationId"] for _, _, operation in OPERATIONS]
"""The `operationId` of every operation, in the same order."""

AUTHORIZATION_IGNORED = {"register", "login", "refresh", "logout", "request_password_reset", "reset_password"}
"""The operations that ignore the header `Authorization`, so that a client with a stale token can use them."""


def fill(path: str) -> str:
    """Return the path below the root of the API, with a valid value for each of its parameters."""
    return path.removeprefix(ROOT).format(**_PATH_VALUES)
