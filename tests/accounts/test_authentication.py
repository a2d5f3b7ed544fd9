"""Authentication: tokens are checked against the current state of the session and its user."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.authentication import Caller, CallerCache
from accounts.credentials import api_tokens, sessions
from accounts.models import ApiToken, Role, Session, User
from tests.client import Api, access_token, assert_problem
from tests.factories import make_admin, make_author, make_user


def make_session() -> Session:
    """A session of a new author."""
    author = make_author()
    sessions.start(author)
    return author.sessions.get()


DRAFT = {"title": "A title", "content": "Some text."}


def test_an_operation_for_users_without_a_token_is_401(api: Api) -> None:
    assert_problem(api.get("/users/me"), 401, "unauthenticated")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer garbage", "Basic aW5lczpzZWNyZXQ=", "Token x"])
@pytest.mark.parametrize("path", ["/users/me", "/users", "/posts", "/tags", "/authors"])
def test_a_bad_token_is_401_on_public_paths_too(api: Api, path: str, header: str) -> None:
    assert_problem(api.get(path, Authorization=header), 401, "unauthenticated")


def test_the_token_of_another_scheme_is_401(api: Api) -> None:
    token = access_token(make_user())
    assert_problem(api.get("/users/me", Authorization=f"Basic {token}"), 401, "unauthenticated")
    assert_problem(api.get("/users/me", Authorization=token), 401, "unauthenticated")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_case_insensitive(api: Api, scheme: str) -> None:
    reader = make_user()
    response = api.get("/users/me", Authorization=f"{scheme} {access_token(reader)}")
    assert response.json()["id"] == reader.pk


def test_an_expired_token_is_401(api: Api, settings: Any) -> None:
    settings.ACCESS_TOKEN_SECONDS = -1
    assert_problem(api.acting_as(make_user()).get("/users/me"), 401, "unauthenticated")


@pytest.mark.parametrize("path", ["/users/me", "/posts"])
def test_a_deactivated_user_is_401_on_the_next_request(api: Api, path: str) -> None:
    author = make_author()
    authors_api = api.acting_as(author)
    assert authors_api.get(path).status_code == 200
    admins_api = api.acting_as(make_admin())
    assert admins_api.patch(f"/users/{author.pk}", {"is_active": False}).status_code == 200
    assert_problem(authors_api.get(path), 401, "unauthenticated")
    admins_api.patch(f"/users/{author.pk}", {"is_active": True})
    assert_problem(authors_api.get(path), 401, "unauthenticated")
    assert api.acting_as(author).get(path).status_code == 200


@pytest.mark.parametrize("path", ["/users/me", "/posts"])
def test_a_deleted_user_is_401_on_the_next_request(api: Api, path: str) -> None:
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


def test_a_demoted_admin_is_403_on_the_next_request(api: Api) -> None:
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


@pytest.mark.parametrize("path", ["/users/me", "/posts"])
def test_an_ended_session_is_401_on_the_next_request(api: Api, path: str) -> None:
    author = make_author()
    pair = sessions.start(author)
    bearer = f"Bearer {pair.access_token}"
    assert api.get(path, Authorization=bearer).status_code == 200
    sessions.end_by_token(pair.refresh_token)
    assert_problem(api.get(path, Authorization=bearer), 401, "unauthenticated")


def test_a_user_deactivated_by_sql_is_401_too(api: Api) -> None:
    author = make_author()
    authors_api = api.acting_as(author)
    User.objects.filter(pk=author.pk).update(is_active=False)
    assert_problem(authors_api.get("/users/me"), 401, "unauthenticated")


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite proves its version to the commit")
@pytest.mark.django_db
class TestCallerCache:
    """The cache of callers, with a content version that the test chooses."""

    def get(self, cache: CallerCache, credential: str | int, version: int | None) -> Caller | None:
        caller: Caller | None = async_to_sync(cache.get)(credential, version)
        return caller

    def test_a_caller_is_loaded_once_per_version(self, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        cache, session = CallerCache(), make_session()
        for version in (1, 2):
            with django_assert_num_queries(1):
                callers = [self.get(cache, session.pk, version) for _ in range(3)]
            assert callers == [session] * 3
            assert {caller.user for caller in callers if caller} == {session.user}

    def test_a_change_counts_with_the_next_version(self) -> None:
        cache, session = CallerCache(), make_session()
        self.get(cache, session.pk, 1)
        User.objects.filter(pk=session.user_id).update(is_active=False)
        changed = self.get(cache, session.pk, 2)
        assert changed is not None
        assert not changed.user.is_active

    def test_a_caller_is_loaded_each_time_without_a_version(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        cache, session = CallerCache(), make_session()
        with django_assert_num_queries(3):
            for _ in range(3):
                assert self.get(cache, session.pk, None) is not None

    def test_an_unknown_caller_is_not_cached(self) -> None:
        cache, session = CallerCache(), make_session()
        Session.objects.all().delete()
        assert self.get(cache, session.pk, 1) is None
        assert self.get(cache, "blog_nobodys", 1) is None
        assert cache.callers == {}

    def test_the_cache_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(CallerCache, "MAX_CALLERS", 3)
        cache = CallerCache()
        for _ in range(10):
            self.get(cache, make_session().pk, 1)
        assert len(cache.callers) <= 3

    def test_an_api_token_is_reloaded_when_its_use_must_be_recorded(self) -> None:
        cache = CallerCache()
        token, text = api_tokens.create_api_token(user=make_author(), name="Build", scope="read")
        now = timezone.now()
        with time_machine.travel(now, tick=False) as clock:
            used = []
            for minutes in (0, 59, 60, 119, 120):
                clock.move_to(now + timedelta(minutes=minutes))
                caller = self.get(cache, text, 1)
                assert isinstance(caller, ApiToken)
                assert (caller, caller.user, caller.scope) == (token, token.user, token.scope)
                token.refresh_from_db()
                used.append(token.last_used_at)
        hours = [now + timedelta(hours=hour) for hour in range(3)]
        assert used == [hours[0], hours[0], hours[1], hours[1], hours[2]]
