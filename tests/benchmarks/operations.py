"""The operations that are measured: their requests, and how their responses are compared."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.content import markdown_body
from tests.benchmarks.http_request import NUMBER, Request

SAMPLE_SIZE = 400
POSTS_PATH = "/api/v1/posts"


@dataclass(frozen=True)
class Operation:
    """An operation of the API.

    `requests` makes the requests that the load sends in turn, from the ids of the posts and a token. `varying` are the
    fields of a response that differ between servers: only their types are compared.
    """

    name: str
    title: str
    requests: Callable[[range, str], list[Request]]
    status: int = 200
    varying: frozenset[str] = frozenset()

    def comparable(self, response: bytes) -> str:
        """Return the response as text, with the values of varying fields replaced by their types."""
        return json.dumps(_without(json.loads(response), self.varying), indent=1, sort_keys=True)


def _without(value: Any, varying: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {
            name: f"any {type(inner).__name__}" if name in varying else _without(inner, varying)
            for name, inner in value.items()
        }
    return [_without(inner, varying) for inner in value] if isinstance(value, list) else value


def _sample(posts: range) -> range:
    return posts[:: max(1, len(posts) // SAMPLE_SIZE)]


def _list(posts: range, token: str) -> list[Request]:
    return [Request(POSTS_PATH)]


def _detail(posts: range, token: str) -> list[Request]:
    return [Request(f"{POSTS_PATH}/{post_id}") for post_id in _sample(posts)]


def _create(posts: range, token: str) -> list[Request]:
    post = {
        "title": f"Measured {secrets.token_hex(4)} {NUMBER}",
        "content": markdown_body(0),
        "tags": ["benchmarks", "python", "sqlite"],
        "published": True,
    }
    return [Request(POSTS_PATH, "POST", json.dumps(post), token)]


def _authenticated_detail(posts: range, token: str) -> list[Request]:
    return [Request(request.path, token=token) for request in _detail(posts, token)]


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("list", "List of 20 posts", _list, varying=frozenset({"next"})),
        Operation("detail", "One post", _detail),
        Operation(
            "create",
            "New post",
            _create,
            status=201,
            varying=frozenset({"id", "title", "slug", "published_at", "created_at", "updated_at"}),
        ),
        Operation("authenticated-detail", "One post, with a token", _authenticated_detail),
    )
}
