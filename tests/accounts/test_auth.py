"""Who is asking: the token against the user as they are now."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import tokens
from accounts.models import Role, User
from tests.client import Api, assert_problem
from tests.factories import make_admin, make_author, make_user

DRAFT = {"title": "A title", "content": "Some text."}


def test_without_a_token_an_operation_for_users_is_401(api: Api) -> None:
    assert_problem(api.get("/users/me"), 401, "unauthenticated")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer garbage", "Basic aW5lczpzZWNyZXQ=", "Token x"])
@pytest.mark.parametrize("path", ["/users/me", "/users", "/posts", "/tags", "/authors"])
def test_a_bad_token_is_401_on_public_paths_too(api: Api, path: str, header: str) -> None:
    assert_problem(api.get(path, Authorization=header), 401, "unauthenticated")


def test_the_token_of_another_scheme_is_401(api: Api) -> None:
    token = tokens.issue(make_user())
    assert_problem(api.get("/users/me", Authorization=f"Basic {token}"), 401, "unauthenticated")
    assert_problem(api.get("/users/me", Authorization=token), 401, "unauthenticated")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_may_be_in_any_case_of_letters(api: Api, scheme: str) -> None:
    reader = make_user()
    response = api.get("/users/me", Authorization=f"{scheme} {tokens.issue(reader)}")
    assert response.json()["id"] == reader.pk


def test_an_expired_token_is_401(api: Api, settings: Any) -> None:
    settings.ACCESS_TOKEN_SECONDS = -1
    assert_problem(api.acting_as(make_user()).get("/users/me"), 401, "unauthenticated")


@pytest.mark.parametrize("path", ["/users/me", "/posts"])
def test_a_deactivated_user_is_stopped_on_the_next_request(api: Api, path: str) -> None:
    author = make_author()
    authors_api = api.acting_as(author)
    assert authors_api.get(path).status_code == 200
    admins_api = api.acting_as(make_admin())
    assert admins_api.patch(f"/users/{author.pk}", {"is_active": False}).status_code == 200
    assert_problem(authors_api.get(path), 401, "unauthenticated")
    admins_api.patch(f"/users/{author.pk}", {"is_active": True})
    assert authors_api.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/users/me", "/posts"])
def test_a_deleted_user_is_stopped_on_the_next_request(api: Api, path: str) -> None:
    author = make_author()
    authors_api = api.acting_as(author)
    assert api.acting_as(make_admin()).delete(f"/users/{author.pk}").status_code == 204
    assert_problem(authors_api.get(path), 401, "unauthenticated")


def test_a_changed_role_counts_on_the_next_request(api: Api) -> None:
    user = make_user()
    users_api = api.acting_as(user)
    assert_problem(users_api.post("/posts", DRAFT), 403, "forbidden")
    User.objects.filter(pk=user.pk).update(role=Role.AUTHOR)
    assert users_api.post("/posts", DRAFT).status_code == 201
    User.objects.filter(pk=user.pk).update(role=Role.READER)
    assert_problem(users_api.post("/posts", DRAFT), 403, "forbidden")


def test_a_demoted_admin_is_403_from_then_on(api: Api) -> None:
    make_admin()
    former = make_admin()
    formers_api = api.acting_as(former)
    assert formers_api.patch(f"/users/{former.pk}", {"role": "editor"}).status_code == 200
    assert_problem(formers_api.get("/users"), 403, "forbidden")
    assert formers_api.get("/users/me").json()["role"] == "editor"


def test_a_token_costs_one_query_and_reads_no_password(api: Api) -> None:
    readers_api = api.acting_as(make_user())
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert readers_api.get("/users/me").status_code == 200
    assert len(queries) == 1
    assert "password" not in queries[0]["sql"]
