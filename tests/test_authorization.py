"""Who may do what: every operation of the API, for everybody, on a post in every state."""

import time
from collections.abc import Callable
from itertools import product
from typing import Any

import jwt
import pytest
from django.conf import settings

from accounts import tokens
from accounts.models import User
from posts.models import Post
from tests.blogsite.test_contract import IDS, OPERATIONS, fill
from tests.client import Api, assert_problem
from tests.factories import (
    make_admin,
    make_author,
    make_draft,
    make_editor,
    make_post,
    make_scheduled,
    make_user,
)

ACTORS = ("nobody", "reader", "author", "owner", "editor", "admin")
STATES: dict[str, Callable[..., Post]] = {"draft": make_draft, "scheduled": make_scheduled, "published": make_post}

OPEN = dict.fromkeys(ACTORS, 200)
SELF = {**OPEN, "nobody": 401}
ADMINS = {**dict.fromkeys(ACTORS, 403), "nobody": 401, "admin": 200}
WRITERS = {**OPEN, "nobody": 401, "reader": 403}

# The operations that are not about one post, with the status that each actor gets. 200 stands for any success.
GENERAL = {
    "register": OPEN,
    "login": OPEN,
    "get_me": SELF,
    "update_me": SELF,
    "list_users": ADMINS,
    "create_user": ADMINS,
    "get_user": ADMINS,
    "get_user_by_username": ADMINS,
    "update_user": ADMINS,
    "delete_user": ADMINS,
    "list_authors": OPEN,
    "get_author": OPEN,
    "list_posts": OPEN,
    "create_post": WRITERS,
    "list_tags": OPEN,
    "get_tag": OPEN,
}
READ_ONE = {"get_post", "get_post_by_slug"}
CHANGE_ONE = {"update_post", "delete_post", "publish_post", "unpublish_post"}

METHODS = {operation["operationId"]: (method, path) for method, path, operation in OPERATIONS}
BODIES: dict[str, Any] = {
    "register": {"username": "newcomer", "email": "new@example.com", "password": "quiet-river-lantern"},
    "login": {"username": "subject", "password": "quiet-river-lantern"},
    "create_user": {"username": "newcomer", "email": "new@example.com", "password": "quiet-river-lantern"},
    "create_post": {"title": "New", "content": "Text"},
    "update_user": {"full_name": "Changed"},
    "update_me": {"full_name": "Changed"},
    "update_post": {"title": "Changed"},
}


def test_every_operation_has_a_row() -> None:
    assert set(IDS) == set(GENERAL) | READ_ONE | CHANGE_ONE


def expected(operation: str, actor: str, state: str) -> int:
    """The status for an operation on one post."""
    if actor == "nobody" and operation in CHANGE_ONE:
        return 401
    if state != "published" and actor in ("nobody", "reader", "author"):
        return 404
    return 403 if operation in CHANGE_ONE and actor in ("reader", "author") else 200


def acting(api: Api, actor: str, post: Post) -> Api:
    users: dict[str, Callable[[], User]] = {
        "reader": make_user,
        "author": make_author,
        "owner": lambda: post.author,
        "editor": make_editor,
        "admin": make_admin,
    }
    return api if actor == "nobody" else api.acting_as(users[actor]())


def call(api: Api, operation: str, post: Post, subject: User) -> Any:
    """Do the operation to the post, its tag and its author, or to the user `subject`."""
    method, path = METHODS[operation]
    path = path.removeprefix("/api/v1")
    username = subject.username if "users" in path else post.author.username
    values = {"post_id": post.pk, "slug": post.slug, "user_id": subject.pk, "username": username, "tag": "rivers"}
    return api.send(method, path.format(**values), BODIES.get(operation))


def check(response: Any, status: int) -> None:
    if status == 200:
        assert response.status_code in (200, 201, 204), response.content
    else:
        codes = {401: "unauthenticated", 403: "forbidden", 404: "not_found"}
        assert_problem(response, status, codes[status])


@pytest.mark.parametrize(("operation", "actor"), list(product(GENERAL, ACTORS)))
def test_operations_that_are_not_about_one_post(api: Api, operation: str, actor: str) -> None:
    post = make_post(tags=["rivers"])
    subject = make_user(username="subject", password="quiet-river-lantern")
    response = call(acting(api, actor, post), operation, post, subject)
    check(response, GENERAL[operation][actor])


@pytest.mark.parametrize(("operation", "actor", "state"), list(product(sorted(READ_ONE | CHANGE_ONE), ACTORS, STATES)))
def test_operations_on_one_post(api: Api, operation: str, actor: str, state: str) -> None:
    post = STATES[state]()
    before = Post.objects.filter(pk=post.pk).values().get()
    status = expected(operation, actor, state)
    check(call(acting(api, actor, post), operation, post, post.author), status)
    if status != 200:
        assert Post.objects.filter(pk=post.pk).values().get() == before


@pytest.mark.parametrize(
    ("actor", "state", "asked"), list(product(ACTORS, STATES, ["published", "draft", "scheduled", "all"]))
)
def test_lists_show_what_the_actor_may_see(api: Api, actor: str, state: str, asked: str) -> None:
    post = STATES[state](tags=["rivers"])
    acting_api = acting(api, actor, post)
    seen = [item["id"] for item in acting_api.get("/posts", {"status": asked}).json()["items"]]
    visible = expected("get_post", actor, state) == 200 and asked in (state, "all")
    assert seen == ([post.pk] if visible else [])
    public = state == "published"
    assert bool(acting_api.get("/tags").json()["items"]) == public
    assert bool(acting_api.get("/authors").json()["items"]) == public


def forged(kind: str) -> str:
    """A token that looks like one of the user's and is not."""
    user = make_admin()
    claims = jwt.decode(tokens.issue(user), options={"verify_signature": False})
    header = {name: value for name, value in jwt.get_unverified_header(tokens.issue(user)).items() if name != "alg"}
    key = settings.TOKEN_KEYS[0]
    match kind:
        case "expired":
            claims["exp"] = int(time.time()) - 1
        case "of another kind":
            header["typ"] = "JWT"
        case "unsigned":
            return jwt.encode(claims, None, algorithm="none", headers=header)
        case "of another key":
            key = "another key of thirty-two characters or more"
        case "of a deleted user":
            claims["sub"] = "9999999"
        case "of an inactive user":
            User.objects.filter(pk=user.pk).update(is_active=False)
    return jwt.encode(claims, key, algorithm="HS256", headers=header)


KINDS = ["expired", "of another kind", "unsigned", "of another key", "of a deleted user", "of an inactive user"]


@pytest.mark.parametrize("kind", KINDS)
def test_no_operation_takes_a_token_that_is(api: Api, kind: str) -> None:
    token = forged(kind)
    for method, path, operation in OPERATIONS:
        if "security" in operation:
            response = api.send(method, fill(path), Authorization=f"Bearer {token}")
            assert_problem(response, 401, "unauthenticated")
