"""What is measured: each operation is the requests that it repeats, and how to tell that an answer is right."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.calls import NUMBER, Call
from tests.benchmarks.texts import body_of

ROTATED = 400
POSTS_PATH = "/api/v1/posts"


@dataclass(frozen=True)
class Operation:
    """An operation of the API.

    `calls` are the requests that a load sends in turn, from the ids of the posts and a token. `varying` are the fields
    of an answer that differ from server to server: of these only the type is compared.
    """

    name: str
    title: str
    calls: Callable[[range, str], list[Call]]
    status: int = 200
    varying: frozenset[str] = frozenset()

    def comparable(self, answer: bytes) -> str:
        """The answer as text in which all that may not vary is left."""
        return json.dumps(_without(json.loads(answer), self.varying), indent=1, sort_keys=True)


def _without(value: Any, varying: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {
            name: f"any {type(inner).__name__}" if name in varying else _without(inner, varying)
            for name, inner in value.items()
        }
    return [_without(inner, varying) for inner in value] if isinstance(value, list) else value


def _rotated(posts: range) -> range:
    return posts[:: max(1, len(posts) // ROTATED)]


def _list(posts: range, token: str) -> list[Call]:
    return [Call(POSTS_PATH)]


def _detail(posts: range, token: str) -> list[Call]:
    return [Call(f"{POSTS_PATH}/{post_id}") for post_id in _rotated(posts)]


def _create(posts: range, token: str) -> list[Call]:
    post = {
        "title": f"Measured {secrets.token_hex(4)} {NUMBER}",
        "content": body_of(0),
        "tags": ["benchmarks", "python", "sqlite"],
        "published": True,
    }
    return [Call(POSTS_PATH, "POST", json.dumps(post), token)]


def _authenticated_detail(posts: range, token: str) -> list[Call]:
    return [Call(call.path, token=token) for call in _detail(posts, token)]


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
