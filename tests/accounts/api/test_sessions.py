"""Logging out, listing and ending sessions, and everything that ends all sessions of a user."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from time_machine import Traveller

from accounts.credentials import sessions
from accounts.models import User
from tests.accounts.session_tokens import assert_ended, assert_valid, refresh, session_of
from tests.client import Api, access_token, assert_problem
from tests.factories import PASSWORD, make_admin, make_author, make_user

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
NEW_PASSWORD = "another-river-lantern"


@pytest.fixture
def clock() -> Iterator[Traveller]:
    """A clock that only the test moves."""
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def reader(db: None) -> User:
    return make_user(username="ines")


def listed(api: Api, access_token: str, **query: Any) -> Any:
    response = api.get("/auth/sessions", query, Authorization=f"Bearer {access_token}")
    assert response.status_code == 200
    return response.json()


class TestLoggingOut:
    @pytest.mark.parametrize("rotations_back", [0, 1, 2])
    def test_any_token_of_a_session_ends_it(self, api: Api, reader: User, rotations_back: int) -> None:
        pairs, other = [sessions.start(reader)], sessions.start(reader)
        for _ in range(2):
            pairs.append(refresh(api, pairs[-1].refresh_token))
        response = api.post("/auth/logout", {"refresh_token": pairs[2 - rotations_back].refresh_token})
        assert (response.status_code, response.content) == (204, b"")
        assert_ended(api, *pairs)
        assert_valid(api, other.access_token)

    def test_logging_out_twice_is_not_an_error(self, api: Api, reader: User) -> None:
        pair = sessions.start(reader)
        for _ in range(2):
            assert api.post("/auth/logout", {"refresh_token": pair.refresh_token}).status_code == 204

    @pytest.mark.parametrize("token", ["x", ".", "unknown.secret", ".secret"])
    def test_an_unknown_token_is_not_an_error_and_ends_nothing(self, api: Api, reader: User, token: str) -> None:
        pair = sessions.start(reader)
        assert api.post("/auth/logout", {"refresh_token": token}).status_code == 204
        assert_valid(api, pair.access_token)


class TestListing:
    def test_a_session_shows_its_client_and_its_times(self, api: Api, clock: Traveller) -> None:
        reader = make_user(password=PASSWORD)
        body = {"username": reader.username, "password": PASSWORD}
        token = api.post("/auth/login", body, **{"User-Agent": "Curious/1.0"}).json()["access_token"]
        assert listed(api, token) == {
            "items": [
                {
                    "id": reader.sessions.get().pk,
                    "created_at": "2026-01-31T12:00:00Z",
                    "last_used_at": "2026-01-31T12:00:00Z",
                    "expires_at": "2026-03-02T12:00:00Z",
                    "user_agent": "Curious/1.0",
                    "address": "127.0.0.1",
                    "is_current": True,
                }
            ],
            "next": None,
        }

    def test_a_refresh_updates_the_client(self, api: Api, reader: User, clock: Traveller) -> None:
        pair = sessions.start(reader, user_agent="Curious/1.0", address="192.0.2.7")
        clock.shift(300)
        pair = refresh(api, pair.refresh_token, **{"User-Agent": "Curious/2.0"})
        (item,) = listed(api, pair.access_token)["items"]
        assert (item["user_agent"], item["address"]) == ("Curious/2.0", "127.0.0.1")
        assert (item["created_at"], item["last_used_at"]) == ("2026-01-31T12:00:00Z", "2026-01-31T12:05:00Z")
        assert item["expires_at"] == "2026-03-02T12:00:00Z"

    def test_an_absent_or_long_user_agent_is_accepted(self, api: Api, reader: User) -> None:
        pair = sessions.start(reader, user_agent="a\x00b" + "c" * 500)
        assert listed(api, pair.access_token)["items"][0]["user_agent"] == "ab" + "c" * 298
        pair = refresh(api, pair.refresh_token, **{"User-Agent": ""})
        assert listed(api, pair.access_token)["items"][0]["user_agent"] == ""

    def test_the_last_used_session_is_first_and_one_is_current(self, api: Api, reader: User, clock: Traveller) -> None:
        pairs = []
        for _ in range(3):
            pairs.append(sessions.start(reader))
            clock.shift(60)
        pairs[1] = refresh(api, pairs[1].refresh_token)
        items = listed(api, pairs[0].access_token)["items"]
        assert [item["id"] for item in items] == [session_of(pairs[number]).pk for number in (1, 2, 0)]
        assert [item["is_current"] for item in items] == [False, False, True]

    def test_pages_neither_skip_nor_repeat_sessions_of_the_same_time(
        self, api: Api, reader: User, clock: Traveller
    ) -> None:
        pairs = [sessions.start(reader) for _ in range(5)]
        ids: list[int] = []
        cursor: dict[str, str] = {}
        for size in (2, 2, 1):
            page = listed(api, pairs[0].access_token, limit=2, **cursor)
            assert len(page["items"]) == size
            ids += [item["id"] for item in page["items"]]
            cursor = {"cursor": page["next"]}
        assert page["next"] is None
        assert ids == sorted(reader.sessions.values_list("pk", flat=True), reverse=True)

    def test_ended_sessions_and_those_of_other_users_are_not_listed(
        self, api: Api, reader: User, clock: Traveller
    ) -> None:
        sessions.start(make_user())
        unused, used = sessions.start(reader), sessions.start(reader)
        clock.shift(timedelta(days=6))
        used = refresh(api, used.refresh_token)
        assert len(listed(api, used.access_token)["items"]) == 2
        clock.shift(timedelta(days=1))
        used = refresh(api, used.refresh_token)
        assert [item["is_current"] for item in listed(api, used.access_token)["items"]] == [True]
        assert_ended(api, unused)

    def test_no_hash_and_no_token_is_listed(self, api: Api, reader: User) -> None:
        pair = sessions.start(reader)
        pair = refresh(api, pair.refresh_token)
        text = api.get("/auth/sessions", Authorization=f"Bearer {pair.access_token}").content.decode()
        session = reader.sessions.get()
        for secret in (pair.refresh_token, session.family, session.token_hash, session.previous_hash):
            assert secret
            assert secret not in text

    def test_the_list_costs_two_queries_however_long(self, api: Api, reader: User) -> None:
        pair = sessions.start(reader)
        for total in (1, 100):
            while reader.sessions.count() < total:
                sessions.start(reader)
            with CaptureQueriesContext(connection) as queries:
                assert len(listed(api, pair.access_token, limit=100)["items"]) == total
            assert len(queries) == 2
            assert not any("hash" in query["sql"] or "password" in query["sql"] for query in queries)

    @pytest.mark.parametrize(
        ("query", "pointer"), [({"limit": 101}, "limit"), ({"cursor": "forged"}, "cursor"), ({"page": 2}, "page")]
    )
    def test_invalid_query_parameters_are_refused(self, api: Api, query: dict[str, Any], pointer: str) -> None:
        response = api.acting_as(make_user()).get("/auth/sessions", query)
        assert_problem(response, 422, "validation_error", f"#/query/{pointer}")


class TestEnding:
    def test_a_user_ends_one_of_their_sessions(self, api: Api, reader: User) -> None:
        here, lost, third = (sessions.start(reader) for _ in range(3))
        response = api.delete(f"/auth/sessions/{session_of(lost).pk}", Authorization=f"Bearer {here.access_token}")
        assert (response.status_code, response.content) == (204, b"")
        assert_ended(api, lost)
        for pair in (here, third):
            assert_valid(api, pair.access_token)

    def test_a_user_ends_the_current_session(self, api: Api, reader: User) -> None:
        here = sessions.start(reader)
        path = f"/auth/sessions/{session_of(here).pk}"
        assert api.delete(path, Authorization=f"Bearer {here.access_token}").status_code == 204
        assert_ended(api, here)

    def test_another_users_session_is_404(self, api: Api, reader: User) -> None:
        others = sessions.start(make_user())
        for user in (reader, make_admin()):
            response = api.acting_as(user).delete(f"/auth/sessions/{session_of(others).pk}")
            assert_problem(response, 404, "not_found")
        assert_valid(api, others.access_token)

    def test_ending_an_ended_session_is_404(self, api: Api, reader: User) -> None:
        readers_api, path = api.acting_as(reader), f"/auth/sessions/{session_of(sessions.start(reader)).pk}"
        assert readers_api.delete(path).status_code == 204
        assert_problem(readers_api.delete(path), 404, "not_found")

    @pytest.mark.parametrize("session_id", [0, 2**63, 10**30])
    def test_an_id_that_no_session_can_have_is_refused(self, api: Api, reader: User, session_id: int) -> None:
        response = api.acting_as(reader).delete(f"/auth/sessions/{session_id}")
        assert_problem(response, 422, "validation_error", "#/path/session_id")

    def test_a_user_ends_all_of_their_own_sessions(self, api: Api, reader: User) -> None:
        here, there, others = sessions.start(reader), sessions.start(reader), sessions.start(make_user())
        response = api.delete("/auth/sessions", Authorization=f"Bearer {here.access_token}")
        assert (response.status_code, response.content) == (204, b"")
        assert_ended(api, here, there)
        assert_valid(api, others.access_token)


def admin_site() -> Client:
    client = Client()
    client.force_login(make_admin())
    return client


def deactivate_by_api(api: Api, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api.acting_as(make_admin()).patch(f"/users/{user.pk}", {"is_active": False}).status_code == 200


def deactivate_in_the_admin_site(api: Api, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"username": user.username, "email": user.email, "role": user.role}
    assert admin_site().post(f"/admin/accounts/user/{user.pk}/change/", fields).status_code == 302


def delete_by_api(api: Api, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api.acting_as(make_admin()).delete(f"/users/{user.pk}").status_code == 204


def set_a_password_in_the_admin_site(api: Api, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
    assert admin_site().post(f"/admin/accounts/user/{user.pk}/password/", fields).status_code == 302


def take_the_password_away_in_the_admin_site(api: Api, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    user.set_password(PASSWORD)
    User.objects.filter(pk=user.pk).update(password=user.password)
    path = f"/admin/accounts/user/{user.pk}/password/"
    assert admin_site().post(path, {"usable_password": "false", "unset-password": "1"}).status_code == 302
    user.refresh_from_db()
    assert not user.has_usable_password()


def set_a_password_by_changepassword(api: Api, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getpass", lambda prompt: NEW_PASSWORD)
    call_command("changepassword", user.username, verbosity=0)


@pytest.mark.parametrize(
    "end",
    [
        deactivate_by_api,
        deactivate_in_the_admin_site,
        delete_by_api,
        set_a_password_in_the_admin_site,
        take_the_password_away_in_the_admin_site,
        set_a_password_by_changepassword,
    ],
)
def test_all_sessions_of_the_user_end_and_no_others(
    api: Api,
    reader: User,
    monkeypatch: pytest.MonkeyPatch,
    end: Callable[[Api, User, pytest.MonkeyPatch], None],
) -> None:
    pairs, others = [sessions.start(reader), sessions.start(reader)], sessions.start(make_user())
    end(api, reader, monkeypatch)
    assert_ended(api, *pairs)
    assert_valid(api, others.access_token)


def test_a_reactivated_user_has_to_log_in_again(api: Api, reader: User) -> None:
    pair = sessions.start(reader)
    for is_active in (False, True):
        api.acting_as(make_admin()).patch(f"/users/{reader.pk}", {"is_active": is_active})
    assert_ended(api, pair)
    assert_valid(api, access_token(reader))


def test_a_user_deactivated_by_sql_cannot_refresh(api: Api, reader: User) -> None:
    pair = sessions.start(reader)
    User.objects.filter(pk=reader.pk).update(is_active=False)
    assert_ended(api, pair)


def test_a_demoted_admin_keeps_the_session(api: Api) -> None:
    make_admin()
    former = make_admin()
    pair = sessions.start(former)
    bearer = {"Authorization": f"Bearer {pair.access_token}"}
    assert api.patch(f"/users/{former.pk}", {"role": "author"}, **bearer).status_code == 200
    assert_problem(api.get("/users", **bearer), 403, "forbidden")
    pair = refresh(api, pair.refresh_token)
    assert api.get("/users/me", Authorization=f"Bearer {pair.access_token}").json()["role"] == "author"


def test_a_changed_name_keeps_the_session(api: Api, reader: User) -> None:
    pair = sessions.start(reader)
    assert api.acting_as(make_admin()).patch(f"/users/{reader.pk}", {"username": "maria"}).status_code == 200
    reader.refresh_from_db()
    reader.full_name = "Maria"
    reader.save()
    assert_valid(api, pair.access_token)


def test_replacing_a_weak_hash_keeps_the_session(client: Client, api: Api) -> None:
    author = make_author()
    weak_hash = PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1000)
    User.objects.filter(pk=author.pk).update(password=weak_hash)
    pair = sessions.start(author)
    assert client.post("/admin/login/", {"username": author.username, "password": PASSWORD}).status_code == 302
    author.refresh_from_db()
    assert author.password.startswith("argon2$")
    assert_valid(api, pair.access_token)
