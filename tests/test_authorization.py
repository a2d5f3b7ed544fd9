"""The access matrix: every operation of the API, for every role, on a post in every state."""

import time
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from itertools import product
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.tokens import default_token_generator
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts import services
from accounts.credentials import api_tokens, sessions
from accounts.models import ApiToken, Session, User
from posts import preview_links
from posts.models import Media, Post
from tests.actors import ACTORS, STATES, acting, make_actor
from tests.client import Api, access_token, assert_problem
from tests.factories import PASSWORD, make_admin, make_media, make_post
from tests.images import image_bytes
from tests.operations import AUTHORIZATION_IGNORED, IDS, OPERATIONS, fill

OPEN = dict.fromkeys(ACTORS, 200)
USERS = {**OPEN, "nobody": 401}
ADMINS = {**dict.fromkeys(ACTORS, 403), "nobody": 401, "admin": 200}
WRITERS = {**OPEN, "nobody": 401, "reader": 403}

# The operations that are not about one post or image, with the status for each actor. 200 stands for any success.
GENERAL = {
    "register": OPEN,
    "login": OPEN,
    "refresh": OPEN,
    "logout": OPEN,
    "request_password_reset": OPEN,
    "reset_password": OPEN,
    "change_password": USERS,
    "list_sessions": USERS,
    "end_session": USERS,
    "end_all_sessions": USERS,
    "list_api_tokens": USERS,
    "create_api_token": USERS,
    "delete_api_token": USERS,
    "get_me": USERS,
    "update_me": USERS,
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
    "preview_post": OPEN,
    "list_media": USERS,
    "upload_media": WRITERS,
    "list_tags": OPEN,
    "get_tag": OPEN,
}
READ_ONE = {"get_post", "get_post_by_slug"}
CHANGE_ONE = {
    "update_post",
    "delete_post",
    "restore_post",
    "publish_post",
    "unpublish_post",
    "list_revisions",
    "get_revision",
    "revert_post",
    "create_preview_link",
}

CHANGE_OWN_MEDIA = {"get_media", "update_media", "delete_media"}

# The operations that no API token may call, whatever its scope: they require a session.
SESSION_REQUIRED = {
    "change_password",
    "list_sessions",
    "end_session",
    "end_all_sessions",
    "list_api_tokens",
    "create_api_token",
    "delete_api_token",
}

METHODS = {operation["operationId"]: (method, path) for method, path, operation in OPERATIONS}
TAKES_TOKENS = [operation["operationId"] for _, _, operation in OPERATIONS if "security" in operation]
NEWCOMER = {"username": "newcomer", "email": "new@example.com", "password": PASSWORD}
BODIES: dict[str, Callable[[User], Any]] = {
    "register": lambda subject: NEWCOMER,
    "login": lambda subject: {"username": "subject", "password": PASSWORD},
    "refresh": lambda subject: {"refresh_token": sessions.start(subject).refresh_token},
    "logout": lambda subject: {"refresh_token": sessions.start(subject).refresh_token},
    "request_password_reset": lambda subject: {"email": subject.email},
    "reset_password": lambda subject: {
        "uid": urlsafe_base64_encode(force_bytes(subject.pk)),
        "token": default_token_generator.make_token(subject),
        "new_password": "another-river-lantern",
    },
    "change_password": lambda subject: {"current_password": PASSWORD, "new_password": "another-river-lantern"},
    "create_api_token": lambda subject: {"name": "Build", "scope": "read"},
    "create_user": lambda subject: NEWCOMER,
    "create_post": lambda subject: {"title": "New", "content": "Text"},
    "update_user": lambda subject: {"full_name": "Changed"},
    "update_me": lambda subject: {"full_name": "Changed"},
    "update_post": lambda subject: {"title": "Changed"},
    "update_media": lambda subject: {"alt_text": "Changed"},
}


@cache
def password_hash() -> str:
    return make_password(PASSWORD)


def test_every_operation_is_in_the_matrix() -> None:
    assert set(IDS) == set(GENERAL) | READ_ONE | CHANGE_ONE | CHANGE_OWN_MEDIA


def expected(operation: str, actor: str, state: str) -> int:
    """Return the expected status of an operation on one post. 200 stands for any success."""
    if actor == "nobody" and operation in CHANGE_ONE:
        return 401
    if state != "published" and actor in ("nobody", "reader", "author"):
        return 404
    if state == "trashed" and operation != "restore_post":
        return 404
    return 403 if operation in CHANGE_ONE and actor in ("reader", "author") else 200


def make_subject() -> User:
    return services.create_user(username="subject", email="subject@example.com", password_hash=password_hash())


def call(api: Api, operation: str, caller: User | None, post: Post, subject: User, **headers: str) -> Any:
    """Call the operation on `post`, its tag or author, on the user `subject`, or on a session or token of `caller`."""
    method, path = METHODS[operation]
    path = path.removeprefix("/api/v1")
    own_session = own_token = 1
    if caller is not None:
        User.objects.filter(pk=caller.pk).update(password=password_hash())
        sessions.start(caller)
        own_session = caller.sessions.latest("pk").pk
        own_token = api_tokens.create_api_token(user=caller, name="Old", scope="read")[0].pk
    values = {
        "post_id": post.pk,
        "slug": post.slug,
        "user_id": subject.pk,
        "username": subject.username if "users" in path else post.author.username,
        "tag": "rivers",
        "session_id": own_session,
        "token_id": own_token,
        "version": 1,
        "media_id": make_media(author=post.author).pk,
        "token": preview_links.make(post.pk).token,
    }
    if operation == "upload_media":
        return api.upload(image_bytes(), headers=headers)
    body = BODIES[operation](subject) if operation in BODIES else None
    return api.send(method, path.format(**values), body, **headers)


def check(response: Any, status: int) -> None:
    """Assert that the response has this status. 200 stands for any success."""
    if status == 200:
        assert response.status_code in (200, 201, 202, 204), response.content
    else:
        codes = {401: "unauthenticated", 403: "forbidden", 404: "not_found"}
        assert_problem(response, status, codes[status])


@pytest.mark.parametrize(("operation", "actor"), list(product(GENERAL, ACTORS)))
def test_status_of_operations_that_are_not_about_one_post(api: Api, operation: str, actor: str) -> None:
    post = make_post(tags=["rivers"])
    caller = make_actor(actor, post)
    response = call(acting(api, caller), operation, caller, post, make_subject())
    check(response, GENERAL[operation][actor])


@pytest.mark.parametrize(("operation", "actor"), list(product(sorted(CHANGE_OWN_MEDIA), ACTORS)))
def test_status_of_operations_on_one_image(api: Api, operation: str, actor: str) -> None:
    post = make_post()
    caller = make_actor(actor, post)
    status = {"nobody": 401, "reader": 404, "author": 404}.get(actor, 200)
    check(call(acting(api, caller), operation, caller, post, make_subject()), status)
    assert Media.objects.filter(alt_text="").exists() == (status != 200 or operation == "get_media")


@pytest.mark.parametrize(("operation", "actor", "state"), list(product(sorted(READ_ONE | CHANGE_ONE), ACTORS, STATES)))
def test_status_of_operations_on_one_post(api: Api, operation: str, actor: str, state: str) -> None:
    post = STATES[state]()
    before = Post.objects.filter(pk=post.pk).values().get()
    status = expected(operation, actor, state)
    caller = make_actor(actor, post)
    check(call(acting(api, caller), operation, caller, post, post.author), status)
    if status != 200:
        assert Post.objects.filter(pk=post.pk).values().get() == before


@pytest.mark.parametrize(
    ("actor", "state", "status"), list(product(ACTORS, STATES, ["published", "draft", "scheduled", "trashed", "all"]))
)
def test_lists_contain_exactly_what_the_actor_may_see(api: Api, actor: str, state: str, status: str) -> None:
    post = STATES[state](tags=["rivers"])
    caller = make_actor(actor, post)
    acting_api = acting(api, caller)
    seen = [item["id"] for item in acting_api.get("/posts", {"status": status}).json()["items"]]
    visible = (state == "published" or actor in ("owner", "editor", "admin")) and status in (state, "all")
    assert seen == ([post.pk] if visible else [])
    public = state == "published"
    assert bool(acting_api.get("/tags").json()["items"]) == public
    assert bool(acting_api.get("/authors").json()["items"]) == public


@pytest.mark.parametrize(("operation", "scope"), list(product(TAKES_TOKENS, ("read", "write"))))
def test_api_token_is_limited_to_its_scope(api: Api, operation: str, scope: str) -> None:
    admin, post, subject = make_admin(), make_post(tags=["rivers"]), make_subject()
    _, token = api_tokens.create_api_token(user=admin, name="Build", scope=scope)
    response = call(api, operation, admin, post, subject, Authorization=f"Bearer {token}")
    refused = operation in SESSION_REQUIRED or (scope == "read" and METHODS[operation][0] != "GET")
    check(response, 403 if refused else 200)


@pytest.mark.parametrize("operation", sorted(AUTHORIZATION_IGNORED))
@pytest.mark.parametrize("header", ["Bearer nonsense", "Basic dXNlcjpwYXNz", "nonsense"])
def test_operations_that_ignore_authorization_succeed_with_a_bad_header(api: Api, operation: str, header: str) -> None:
    check(call(api, operation, None, make_post(), make_subject(), Authorization=header), 200)


def bad_access_token(kind: str) -> str:
    """Return an access token of an admin with one defect. An unknown kind gives a valid token."""
    user = make_admin()
    genuine = access_token(user)
    claims = jwt.decode(genuine, options={"verify_signature": False})
    header = {name: value for name, value in jwt.get_unverified_header(genuine).items() if name != "alg"}
    key = settings.TOKEN_KEYS[0]
    match kind:
        case "expired":
            claims["exp"] = int(time.time()) - 1
        case "of another type":
            header["typ"] = "JWT"
        case "unsigned":
            return jwt.encode(claims, "", algorithm="none", headers=header)
        case "signed with another key":
            key = "another key of thirty-two characters or more"
        case "of a deleted user":
            user.delete()
        case "of an inactive user":
            User.objects.filter(pk=user.pk).update(is_active=False)
        case "of an ended session":
            Session.objects.end(user.pk)
        case "of a session of another user":
            access_token(make_admin())
            claims["sid"] = str(Session.objects.exclude(user=user).get().pk)
    return jwt.encode(claims, key, algorithm="HS256", headers=header)


def bad_api_token(kind: str) -> str:
    """Return an API token of an admin with one defect. An unknown kind gives a valid token."""
    user = make_admin()
    token, text = api_tokens.create_api_token(user=user, name="Build", scope="write")
    match kind:
        case "expired":
            ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
        case "deleted":
            token.delete()
        case "with a wrong character":
            return text[:-1] + ("a" if text[-1] != "a" else "b")
        case "truncated":
            return text[:-1]
        case "of a deleted user":
            user.delete()
        case "of an inactive user":
            User.objects.filter(pk=user.pk).update(is_active=False)
    return text


ACCESS_TOKEN_DEFECTS = [
    "expired",
    "of another type",
    "unsigned",
    "signed with another key",
    "of a deleted user",
    "of an inactive user",
    "of an ended session",
    "of a session of another user",
]
API_TOKEN_DEFECTS = [
    "expired",
    "deleted",
    "with a wrong character",
    "truncated",
    "of a deleted user",
    "of an inactive user",
]


def assert_refused_everywhere(api: Api, token: str, forget_failures: Callable[[], None]) -> None:
    """Assert that every operation that reads tokens answers 401."""
    for method, path, operation in OPERATIONS:
        if "security" in operation:
            forget_failures()
            response = api.send(method, fill(path), Authorization=f"Bearer {token}")
            assert_problem(response, 401, "unauthenticated")


@pytest.mark.parametrize("kind", ACCESS_TOKEN_DEFECTS)
def test_every_operation_refuses_a_bad_access_token(api: Api, kind: str, forget_failures: Callable[[], None]) -> None:
    assert_refused_everywhere(api, bad_access_token(kind), forget_failures)


@pytest.mark.parametrize("kind", API_TOKEN_DEFECTS)
def test_every_operation_refuses_a_bad_api_token(api: Api, kind: str, forget_failures: Callable[[], None]) -> None:
    assert_refused_everywhere(api, bad_api_token(kind), forget_failures)


def test_tokens_without_a_defect_are_accepted(api: Api) -> None:
    """The two tests above rely on it: only the defect makes the token invalid."""
    for token in (bad_access_token("nothing"), bad_api_token("nothing")):
        assert api.get("/users", Authorization=f"Bearer {token}").status_code == 200
