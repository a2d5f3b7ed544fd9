"""API tokens: creating, using, listing and deleting them."""

import hashlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from time_machine import Traveller

from accounts.credentials import api_tokens
from accounts.models import ApiToken, User
from blogsite.http.throttling import LONGEST_WAIT
from tests.client import Api, assert_problem
from tests.factories import make_admin, make_author, make_draft, make_user

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
POST = {"title": "A title", "content": "Some text."}


@pytest.fixture
def clock() -> Iterator[Traveller]:
    """A clock that only the test moves."""
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def author(db: None) -> User:
    return make_author()


def make_token(user: User, **fields: Any) -> str:
    """A new token with the scope `write`."""
    return api_tokens.create_api_token(user=user, **{"name": "Build", "scope": "write", **fields})[1]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class TestCreating:
    def test_a_token_is_shown_once(self, api: Api, author: User, clock: Traveller) -> None:
        authors_api = api.acting_as(author)
        response = authors_api.post("/auth/tokens", {"name": " Site build ", "scope": "read"})
        assert response.status_code == 201
        assert response["Cache-Control"] == "private, no-store"
        answer = response.json()
        text = answer.pop("token")
        assert answer == {
            "id": author.api_tokens.get().pk,
            "name": "Site build",
            "scope": "read",
            "hint": text[:9],
            "created_at": "2026-01-31T12:00:00Z",
            "expires_at": None,
            "last_used_at": None,
        }
        listed = authors_api.get("/auth/tokens")
        assert listed.json() == {"items": [answer], "next": None}
        assert text[9:] not in listed.content.decode()

    def test_only_a_hash_is_stored(self, author: User) -> None:
        text = make_token(author)
        row = ApiToken.objects.values().get()
        assert row["token_hash"] == hashlib.sha256(text.encode()).hexdigest()
        assert row["hint"] == text[:9]
        assert text[9:] not in str(row)

    def test_a_token_has_a_prefix_a_secret_and_a_checksum(self, author: User) -> None:
        tokens = [make_token(author) for _ in range(20)]
        assert len(set(tokens)) == 20
        for token in tokens:
            assert token.startswith("blog_")
            assert len(token) == 5 + 36 + 6
            assert token[5:].isalnum()
            assert token.isascii()
            assert api_tokens.is_well_formed(token)

    def test_the_checksum_detects_any_wrong_character(self, author: User) -> None:
        token = make_token(author)
        for place in range(len(token)):
            wrong = "x" if token[place] != "x" else "y"
            assert not api_tokens.is_well_formed(token[:place] + wrong + token[place + 1 :])
        for text in ("", "blog_", token[:-1], token + "x", token.upper(), " " + token):
            assert not api_tokens.is_well_formed(text)

    def test_the_expiry_is_stored(self, api: Api, author: User, clock: Traveller) -> None:
        body = {"name": "Build", "scope": "write", "expires_at": "2026-01-31T15:00:00+02:00"}
        answer = api.acting_as(author).post("/auth/tokens", body).json()
        assert answer["expires_at"] == "2026-01-31T13:00:00Z"
        assert author.api_tokens.get().expires_at == START + timedelta(hours=1)

    @pytest.mark.parametrize("expires_at", ["2026-01-31T12:00:00Z", "2025-01-31T12:00:00Z"])
    def test_a_token_that_has_already_expired_is_refused(
        self, api: Api, author: User, clock: Traveller, expires_at: str
    ) -> None:
        body = {"name": "Build", "scope": "read", "expires_at": expires_at}
        response = api.acting_as(author).post("/auth/tokens", body)
        assert_problem(response, 422, "validation_error", "#/expires_at")
        assert not ApiToken.objects.exists()

    @pytest.mark.parametrize(
        ("body", "pointers"),
        [
            ({}, ["#/name", "#/scope"]),
            ({"name": "", "scope": "read"}, ["#/name"]),
            ({"name": "  ", "scope": "read"}, ["#/name"]),
            ({"name": "n" * 101, "scope": "read"}, ["#/name"]),
            ({"name": "n\x00", "scope": "read"}, ["#/name"]),
            ({"name": "\ud800", "scope": "read"}, ["#/name"]),
            ({"name": None, "scope": None}, ["#/name", "#/scope"]),
            ({"name": "n", "scope": "admin"}, ["#/scope"]),
            ({"name": "n", "scope": "read", "expires_at": "tomorrow"}, ["#/expires_at"]),
            ({"name": "n", "scope": "read", "expires_at": "2026-01-31"}, ["#/expires_at"]),
            ({"name": "n", "scope": "read", "token": "blog_mine"}, ["#/token"]),
        ],
        ids=lambda value: ascii(value)[:40],
    )
    def test_an_invalid_field_is_named_and_nothing_is_stored(
        self, api: Api, author: User, body: dict[str, Any], pointers: list[str]
    ) -> None:
        response = api.acting_as(author).post("/auth/tokens", body)
        assert_problem(response, 422, "validation_error", *pointers)
        assert not ApiToken.objects.exists()

    def test_the_database_refuses_an_unknown_scope(self, author: User) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            make_token(author, scope="admin")

    def test_two_tokens_may_have_one_name(self, author: User) -> None:
        make_token(author)
        make_token(author)
        assert [str(token) for token in author.api_tokens.all()] == ["Build", "Build"]


class TestUsing:
    def test_a_token_that_may_write_reads_and_writes_as_its_user(self, api: Api, author: User) -> None:
        headers = bearer(make_token(author, scope="write"))
        response = api.post("/posts", POST, **headers)
        assert response.status_code == 201
        assert response.json()["author"]["username"] == author.username
        assert api.get(f"/posts/{response.json()['id']}", **headers).status_code == 200
        assert api.get("/users/me", **headers).json()["id"] == author.pk

    def test_a_token_that_may_read_sees_what_its_user_sees_and_writes_nothing(self, api: Api, author: User) -> None:
        draft = make_draft(author=author)
        headers = bearer(make_token(author, scope="read"))
        assert api.get(f"/posts/{draft.pk}", **headers).status_code == 200
        assert api.send("HEAD", f"/posts/{draft.pk}", **headers).status_code == 200
        assert_problem(api.post("/posts", POST, **headers), 403, "forbidden")
        assert_problem(api.delete(f"/posts/{draft.pk}", **headers), 403, "forbidden")
        assert_problem(api.patch("/users/me", {"bio": "x"}, **headers), 403, "forbidden")

    @pytest.mark.parametrize("scope", ["read", "write"])
    def test_operations_that_need_a_session_are_403(self, api: Api, author: User, scope: str) -> None:
        headers = bearer(make_token(author, scope=scope))
        change = {"current_password": "x", "new_password": "another-river-lantern"}
        for response in (
            api.get("/auth/sessions", **headers),
            api.delete("/auth/sessions", **headers),
            api.delete("/auth/sessions/1", **headers),
            api.get("/auth/tokens", **headers),
            api.post("/auth/tokens", {"name": "Another", "scope": "write"}, **headers),
            api.delete(f"/auth/tokens/{author.api_tokens.get().pk}", **headers),
            api.post("/auth/password/change", change, **headers),
        ):
            assert_problem(response, 403, "forbidden")
        assert author.api_tokens.count() == 1

    def test_a_token_has_the_permissions_of_its_user(self, api: Api) -> None:
        assert_problem(api.post("/posts", POST, **bearer(make_token(make_user()))), 403, "forbidden")
        assert_problem(api.get("/users", **bearer(make_token(make_author()))), 403, "forbidden")
        assert api.get("/users", **bearer(make_token(make_admin()))).status_code == 200

    def test_a_changed_role_and_a_deactivated_user_count_on_the_next_request(self, api: Api, author: User) -> None:
        headers = bearer(make_token(author))
        admins_api = api.acting_as(make_admin())
        admins_api.patch(f"/users/{author.pk}", {"role": "reader"})
        assert_problem(api.post("/posts", POST, **headers), 403, "forbidden")
        admins_api.patch(f"/users/{author.pk}", {"is_active": False})
        assert_problem(api.get("/posts", **headers), 401, "unauthenticated")
        admins_api.patch(f"/users/{author.pk}", {"is_active": True})
        assert api.get("/posts", **headers).status_code == 200

    def test_a_token_outlives_the_sessions_of_its_user(self, api: Api, author: User) -> None:
        headers = bearer(make_token(author))
        api.acting_as(author).delete("/auth/sessions")
        assert api.get("/users/me", **headers).status_code == 200

    def test_a_token_expires(self, api: Api, author: User, clock: Traveller) -> None:
        headers = bearer(make_token(author, expires_at=START + timedelta(minutes=90)))
        clock.shift(timedelta(minutes=90, seconds=-1))
        assert api.get("/users/me", **headers).status_code == 200
        clock.shift(1)
        assert_problem(api.get("/users/me", **headers), 401, "unauthenticated")
        assert_problem(api.get("/posts", **headers), 401, "unauthenticated")

    def test_an_expired_token_is_not_counted_as_a_guess(
        self, api: Api, author: User, clock: Traveller, settings: Any
    ) -> None:
        headers = bearer(make_token(author, expires_at=START + timedelta(seconds=1)))
        clock.shift(1)
        for _ in range(settings.FREE_FAILURES + 2):
            assert_problem(api.get("/users/me", **headers), 401, "unauthenticated")

    def test_unknown_tokens_have_to_wait_and_valid_ones_do_not(
        self, api: Api, author: User, clock: Traveller, settings: Any
    ) -> None:
        token = make_token(author)
        unknown = make_token(author)
        author.api_tokens.latest("pk").delete()
        guesses = [unknown, token[:-1], f"blog_{'x' * 42}", "blog_"]
        for number in range(settings.FREE_FAILURES):
            response = api.get("/users/me", **bearer(guesses[number % len(guesses)]))
            assert_problem(response, 401, "unauthenticated")
        response = api.get("/users/me", **bearer(unknown))
        assert_problem(response, 429, "too_many_requests")
        assert 0 < int(response["Retry-After"]) <= LONGEST_WAIT
        assert api.get("/users/me", **bearer(token)).status_code == 200

    def test_a_misspelt_token_costs_no_query(self, api: Api, author: User) -> None:
        token = make_token(author)
        with CaptureQueriesContext(connection) as queries:
            assert_problem(api.get("/users/me", **bearer(token[:-1])), 401, "unauthenticated")
        assert len(queries) == 0

    def test_its_use_is_recorded_at_most_once_an_hour(self, api: Api, author: User, clock: Traveller) -> None:
        headers = bearer(make_token(author))
        uses = []
        for minutes in (0, 59, 60, 61, 200):
            clock.move_to(START + timedelta(minutes=minutes))
            assert api.get("/users/me", **headers).status_code == 200
            uses.append(author.api_tokens.get().last_used_at)
        minutes_used = [(used - START) // timedelta(minutes=1) for used in uses if used]
        assert minutes_used == [0, 0, 60, 60, 200]

    def test_a_read_with_a_recently_used_token_costs_one_query(self, api: Api, author: User) -> None:
        headers = bearer(make_token(author))
        costs = []
        for _ in range(2):
            with CaptureQueriesContext(connection) as queries:
                assert api.get("/users/me", **headers).status_code == 200
            costs.append(len(queries))
            assert not any("password" in query["sql"] for query in queries)
        assert costs == [2, 1]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL locks the row alone")
@pytest.mark.django_db(transaction=True)
def test_a_read_does_not_fail_while_the_database_is_locked(api: Api) -> None:
    token = make_token(make_author(username="ines"))
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        assert api.get("/users/me", **bearer(token)).json()["username"] == "ines"
        other.execute("ROLLBACK")
    finally:
        other.close()
        connection.close()
    assert ApiToken.objects.get().last_used_at is None
    assert api.get("/users/me", **bearer(token)).status_code == 200
    assert ApiToken.objects.get().last_used_at is not None


class TestListing:
    def test_the_newest_is_first_and_pages_follow(self, api: Api, author: User) -> None:
        make_token(make_author())
        for number in range(5):
            make_token(author, name=f"Build {number}")
        authors_api = api.acting_as(author)
        names: list[str] = []
        query: dict[str, Any] = {"limit": 2}
        for _ in range(3):
            page = authors_api.get("/auth/tokens", query).json()
            names += [item["name"] for item in page["items"]]
            query = {"limit": 2, "cursor": page["next"]}
        assert page["next"] is None
        assert names == [f"Build {number}" for number in (4, 3, 2, 1, 0)]

    def test_an_expired_token_is_still_listed(self, api: Api, author: User, clock: Traveller) -> None:
        make_token(author, expires_at=START + timedelta(seconds=1))
        clock.shift(2)
        assert len(api.acting_as(author).get("/auth/tokens").json()["items"]) == 1

    def test_the_list_costs_two_queries_and_reads_no_hash_however_long(self, api: Api, author: User) -> None:
        authors_api = api.acting_as(author)
        for total in (1, 100):
            while author.api_tokens.count() < total:
                make_token(author)
            with CaptureQueriesContext(connection) as queries:
                assert len(authors_api.get("/auth/tokens", {"limit": 100}).json()["items"]) == total
            assert len(queries) == 2
            assert not any("hash" in query["sql"] or "password" in query["sql"] for query in queries)

    @pytest.mark.parametrize(
        ("query", "pointer"), [({"limit": 0}, "limit"), ({"cursor": "forged"}, "cursor"), ({"scope": "read"}, "scope")]
    )
    def test_invalid_query_parameters_are_refused(
        self, api: Api, author: User, query: dict[str, Any], pointer: str
    ) -> None:
        response = api.acting_as(author).get("/auth/tokens", query)
        assert_problem(response, 422, "validation_error", f"#/query/{pointer}")


class TestDeleting:
    def test_a_deleted_token_is_401(self, api: Api, author: User) -> None:
        deleted, kept = make_token(author), make_token(author)
        path = f"/auth/tokens/{author.api_tokens.earliest('pk').pk}"
        authors_api = api.acting_as(author)
        response = authors_api.delete(path)
        assert (response.status_code, response.content) == (204, b"")
        assert_problem(api.get("/users/me", **bearer(deleted)), 401, "unauthenticated")
        assert api.get("/users/me", **bearer(kept)).status_code == 200
        assert_problem(authors_api.delete(path), 404, "not_found")

    def test_another_users_token_is_404(self, api: Api, author: User) -> None:
        others = make_token(make_author())
        for user in (author, make_admin()):
            response = api.acting_as(user).delete(f"/auth/tokens/{ApiToken.objects.get().pk}")
            assert_problem(response, 404, "not_found")
        assert api.get("/users/me", **bearer(others)).status_code == 200

    def test_the_tokens_of_a_deleted_user_are_deleted(self, api: Api, author: User) -> None:
        token = make_token(author)
        assert api.acting_as(make_admin()).delete(f"/users/{author.pk}").status_code == 204
        assert not ApiToken.objects.exists()
        assert_problem(api.get("/posts", **bearer(token)), 401, "unauthenticated")

    @pytest.mark.parametrize("token_id", [0, 2**63, 10**30])
    def test_an_id_that_no_token_can_have_is_refused(self, api: Api, author: User, token_id: int) -> None:
        response = api.acting_as(author).delete(f"/auth/tokens/{token_id}")
        assert_problem(response, 422, "validation_error", "#/path/token_id")
