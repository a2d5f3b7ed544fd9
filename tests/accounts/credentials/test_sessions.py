"""The rotation of refresh tokens, and the age at which sessions end."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connections
from time_machine import Traveller

from accounts.credentials import sessions
from accounts.credentials.sessions import TokenPair
from accounts.models import Session, User
from tests.accounts.session_tokens import assert_ended, assert_valid, refresh, session_of
from tests.client import Api, assert_problem
from tests.factories import PASSWORD, make_user

START = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[Traveller]:
    """A clock that only the test moves."""
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def reader(db: None) -> User:
    return make_user(username="ines")


class TestRefreshing:
    def test_a_login_starts_a_session_with_two_tokens(self, api: Api) -> None:
        reader = make_user(password=PASSWORD)
        answer = api.post("/auth/login", {"username": reader.username, "password": PASSWORD}).json()
        assert_valid(api, answer["access_token"])
        assert session_of(refresh(api, answer["refresh_token"])) == reader.sessions.get()

    def test_a_refresh_returns_two_new_tokens_of_the_same_session(self, api: Api, reader: User) -> None:
        first = sessions.start(reader)
        second = refresh(api, first.refresh_token)
        assert first.refresh_token != second.refresh_token
        assert first.access_token != second.access_token
        assert second.expires_in == 600
        assert session_of(first) == session_of(second) == reader.sessions.get()
        for pair in (first, second):
            assert_valid(api, pair.access_token)

    def test_a_session_can_be_refreshed_many_times(self, api: Api, reader: User) -> None:
        pairs = [sessions.start(reader)]
        for _ in range(5):
            pairs.append(refresh(api, pairs[-1].refresh_token))
        assert len({pair.refresh_token for pair in pairs}) == 6
        assert_valid(api, pairs[-1].access_token)

    def test_no_token_is_stored(self, api: Api, reader: User) -> None:
        pairs = [sessions.start(reader)]
        pairs.append(refresh(api, pairs[0].refresh_token))
        stored = str(Session.objects.values().get())
        for pair in pairs:
            assert pair.refresh_token.partition(".")[2] not in stored
            assert pair.access_token not in stored

    def test_a_refresh_ignores_the_authorization_header(self, api: Api, reader: User) -> None:
        pair = sessions.start(reader)
        refresh(api, pair.refresh_token, Authorization="Bearer garbage")

    @pytest.mark.parametrize("seconds", [0, 1, 10])
    def test_the_previous_token_returns_the_same_new_token_for_ten_seconds(
        self, api: Api, reader: User, clock: Traveller, seconds: int
    ) -> None:
        first = sessions.start(reader)
        second = refresh(api, first.refresh_token)
        clock.shift(seconds)
        again = refresh(api, first.refresh_token)
        assert again.refresh_token == second.refresh_token
        assert_valid(api, again.access_token)
        refresh(api, again.refresh_token)

    def test_the_previous_token_ends_the_session_after_ten_seconds(
        self, api: Api, reader: User, clock: Traveller
    ) -> None:
        first, other = sessions.start(reader), sessions.start(reader)
        second = refresh(api, first.refresh_token)
        clock.shift(11)
        assert_problem(api.post("/auth/refresh", {"refresh_token": first.refresh_token}), 401, "unauthenticated")
        assert_ended(api, first, second)
        assert_valid(api, refresh(api, other.refresh_token).access_token)

    def test_a_token_of_two_rotations_ago_ends_the_session_at_once(
        self, api: Api, reader: User, clock: Traveller
    ) -> None:
        first, other = sessions.start(reader), sessions.start(reader)
        second = refresh(api, first.refresh_token)
        third = refresh(api, second.refresh_token)
        assert_problem(api.post("/auth/refresh", {"refresh_token": first.refresh_token}), 401, "unauthenticated")
        assert_ended(api, first, second, third)
        assert_valid(api, refresh(api, other.refresh_token).access_token)

    def test_a_known_family_with_a_wrong_secret_ends_the_session(self, api: Api, reader: User) -> None:
        pair = sessions.start(reader)
        family = pair.refresh_token.partition(".")[0]
        assert_problem(api.post("/auth/refresh", {"refresh_token": f"{family}.guessed"}), 401, "unauthenticated")
        assert_ended(api, pair)

    @pytest.mark.parametrize("token", ["x", ".", "unknown.secret", ".secret", "ï.é", "x" * 200])
    def test_an_unknown_token_is_401_and_ends_nothing(self, api: Api, reader: User, token: str) -> None:
        pair = sessions.start(reader)
        assert_problem(api.post("/auth/refresh", {"refresh_token": token}), 401, "unauthenticated")
        assert_problem(api.post("/auth/refresh", {"refresh_token": pair.access_token[:200]}), 401, "unauthenticated")
        refresh(api, pair.refresh_token)

    @pytest.mark.parametrize("path", ["/auth/refresh", "/auth/logout"])
    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({}, "#/refresh_token"),
            ({"refresh_token": ""}, "#/refresh_token"),
            ({"refresh_token": None}, "#/refresh_token"),
            ({"refresh_token": 7}, "#/refresh_token"),
            ({"refresh_token": "x" * 201}, "#/refresh_token"),
            ({"refresh_token": "a\x00.b"}, "#/refresh_token"),
            ({"refresh_token": "\ud800.b"}, "#/refresh_token"),
            ({"refresh_token": "a.b", "scope": "all"}, "#/scope"),
        ],
        ids=lambda value: ascii(value)[:40],
    )
    def test_invalid_fields_are_named(self, api: Api, path: str, body: dict[str, Any], pointer: str) -> None:
        assert_problem(api.post(path, body), 422, "validation_error", pointer)


@pytest.mark.django_db(transaction=True)
def test_concurrent_refreshes_return_the_same_new_token() -> None:
    pair = sessions.start(make_user())

    def refreshed(_: int) -> TokenPair:
        try:
            return sessions.refresh(pair.refresh_token)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as tabs:
        answers = list(tabs.map(refreshed, range(8)))
    (successor,) = {answer.refresh_token for answer in answers}
    assert sessions.refresh(successor).refresh_token != successor


class TestAge:
    def test_a_session_ends_after_seven_days_without_use(self, api: Api, reader: User, clock: Traveller) -> None:
        pair = sessions.start(reader)
        clock.shift(timedelta(days=7, seconds=-1))
        pair = refresh(api, pair.refresh_token)
        clock.shift(timedelta(days=7))
        assert_ended(api, pair)

    def test_a_session_ends_after_thirty_days_in_spite_of_use(self, api: Api, reader: User, clock: Traveller) -> None:
        pair = sessions.start(reader)
        for _ in range(5):
            clock.shift(timedelta(days=5))
            pair = refresh(api, pair.refresh_token)
        clock.shift(timedelta(days=5))
        assert_ended(api, pair)

    def test_the_last_access_token_ends_with_its_session(self, api: Api, reader: User, clock: Traveller) -> None:
        pair = sessions.start(reader)
        for _ in range(5):
            clock.shift(timedelta(days=5))
            pair = refresh(api, pair.refresh_token)
        clock.shift(timedelta(days=5, seconds=-60))
        pair = refresh(api, pair.refresh_token)
        assert pair.expires_in == 60
        clock.shift(59)
        assert_valid(api, pair.access_token)
        clock.shift(1)
        assert_ended(api, pair)

    def test_the_grace_period_does_not_outlast_the_session(self, api: Api, reader: User, clock: Traveller) -> None:
        pair = sessions.start(reader)
        for _ in range(5):
            clock.shift(timedelta(days=5))
            pair = refresh(api, pair.refresh_token)
        clock.shift(timedelta(days=5, seconds=-2))
        refresh(api, pair.refresh_token)
        clock.shift(1)
        refresh(api, pair.refresh_token)
        clock.shift(1)
        assert_problem(api.post("/auth/refresh", {"refresh_token": pair.refresh_token}), 401, "unauthenticated")

    def test_a_session_outlives_its_access_token(self, api: Api, reader: User, clock: Traveller) -> None:
        pair = sessions.start(reader)
        clock.shift(pair.expires_in - 1)
        assert_valid(api, pair.access_token)
        clock.shift(1)
        assert_problem(api.get("/users/me", Authorization=f"Bearer {pair.access_token}"), 401, "unauthenticated")
        assert_valid(api, refresh(api, pair.refresh_token).access_token)
