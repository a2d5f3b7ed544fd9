"""Who is asking: the token against the user as they are now."""

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from accounts import tokens
from accounts.auth import KnownUsers
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


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite proves its version to the commit")
@pytest.mark.django_db
class TestKnownUsers:
    """The memo of users, with a version that the test moves."""

    def get(self, memo: KnownUsers, user: User, version: int | None) -> User | None:
        return async_to_sync(memo.get)(user.pk, version)

    def test_a_user_is_asked_for_once_a_version(self, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        memo, author = KnownUsers(), make_author()
        for version in (1, 2):
            with django_assert_num_queries(1):
                assert [self.get(memo, author, version) for _ in range(3)] == [author] * 3

    def test_a_change_counts_with_the_next_version(self) -> None:
        memo, author = KnownUsers(), make_author()
        self.get(memo, author, 1)
        User.objects.filter(pk=author.pk).update(is_active=False)
        changed = self.get(memo, author, 2)
        assert changed is not None
        assert not changed.is_active

    def test_without_a_version_it_asks_each_time(self, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        memo, author = KnownUsers(), make_author()
        with django_assert_num_queries(3):
            assert [self.get(memo, author, None) for _ in range(3)] == [author] * 3

    def test_who_is_not_there_is_not_remembered(self) -> None:
        memo, author = KnownUsers(), make_author()
        User.objects.filter(pk=author.pk).delete()
        assert self.get(memo, author, 1) is None
        assert memo.users == {}

    def test_the_memo_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(KnownUsers, "MOST", 3)
        memo = KnownUsers()
        for _ in range(10):
            self.get(memo, make_user(), 1)
        assert len(memo.users) <= 3
