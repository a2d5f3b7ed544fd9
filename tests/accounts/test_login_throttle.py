"""The throttle of the API: clients that fail too often have to wait, and no others."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.db import OperationalError, connection, transaction
from django.test import RequestFactory

from accounts.credentials import api_tokens, sessions
from accounts.login_throttle import FREE_PER_ACCOUNT, FailureThrottle
from accounts.models import User
from blogsite.errors import Conflict, Overloaded, WrongCredentials
from blogsite.http.problems import ErrorWithHeaders
from blogsite.http.throttling import LONGEST_WAIT, MEMORY, RedisThrottle
from tests.accounts.throttled_logins import FREE, OTHER, OWNERS, START, api_at, assert_limited, log_in
from tests.client import Api, assert_problem
from tests.factories import PASSWORD, make_user
from tests.redis_server import redis_server
from tests.server import free_port

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("cheap_hashes")]
NEW_PASSWORD = "loud-ocean-candle"

Action = Callable[[Api, User], Any]


def wrong_login(api: Api, user: User) -> Any:
    return log_in(api, "wrong", user.username)


def used_refresh_token(api: Api, user: User) -> Any:
    token = sessions.start(user).refresh_token
    sessions.end_by_token(token)
    return api.post("/auth/refresh", {"refresh_token": token})


def taken_name(api: Api, user: User) -> Any:
    body = {"username": user.username, "email": "another@example.com", "password": PASSWORD}
    return api.post("/auth/register", body)


def reset_request(api: Api, user: User) -> Any:
    return api.post("/auth/password/reset", {"email": "nobody@example.com"})


def bad_reset_link(api: Api, user: User) -> Any:
    return api.post("/auth/password/reset/confirm", {"uid": "MQ", "token": "a-b", "new_password": NEW_PASSWORD})


def wrong_current_password(api: Api, user: User) -> Any:
    body = {"current_password": "wrong", "new_password": NEW_PASSWORD}
    return api.acting_as(user).post("/auth/password/change", body)


def new_address_with_a_wrong_password(api: Api, user: User) -> Any:
    body = {"email": "new@example.com", "current_password": "wrong"}
    return api.acting_as(user).patch("/users/me", body)


def garbage_token(api: Api, user: User) -> Any:
    return api.get("/users/me", Authorization="Bearer garbage")


def forged_token(api: Api, user: User) -> Any:
    head, claims, signature = sessions.start(user).access_token.split(".")
    return api.get("/posts", Authorization=f"Bearer {head}.{claims}.{signature[::-1]}")


def guessed_api_token(api: Api, user: User) -> Any:
    token, text = api_tokens.create_api_token(user=user, name="gone", scope="read")
    token.delete()
    return api.get("/users/me", Authorization=f"Bearer {text}")


ACTIONS = [
    (wrong_login, 401, "login"),
    (used_refresh_token, 401, "refresh"),
    (taken_name, 409, "register"),
    (reset_request, 202, "reset"),
    (bad_reset_link, 422, "reset-link"),
    (wrong_current_password, 422, "password"),
    (new_address_with_a_wrong_password, 422, "password"),
    (garbage_token, 401, "token"),
    (forged_token, 401, "token"),
    (guessed_api_token, 401, "token"),
]


@pytest.mark.parametrize(("act", "status", "action"), ACTIONS)
def test_an_address_has_to_wait_after_the_free_failures(
    clock: time_machine.Traveller, owner: User, act: Action, status: int, action: str
) -> None:
    api = api_at(OTHER)
    left = []
    for _ in range(FREE):
        answer = act(api, owner)
        assert answer.status_code == status
        assert answer["RateLimit-Policy"] == f'"{action}";q={FREE};w={MEMORY}'
        left.append(answer["RateLimit"])
    assert left == [f'"{action}";r={number};t={MEMORY}' for number in reversed(range(FREE))]
    for seconds in (1, 2, 4):
        assert_limited(act(api, owner), seconds, action)
        assert act(api_at(OWNERS), owner).status_code == status
        clock.shift(seconds)
        assert act(api, owner).status_code == status
    assert_limited(act(api, owner), 8, action)
    clock.shift(MEMORY)
    assert act(api, owner).status_code == status
    assert act(api, owner)["RateLimit"] == f'"{action}";r={FREE - 2};t={MEMORY}'


def test_an_attacker_at_one_address_does_not_lock_the_owner_out(clock: time_machine.Traveller, owner: User) -> None:
    attacker = api_at(OTHER)
    answers = [log_in(attacker, f"guess {number}") for number in range(200)]
    assert [answer.status_code for answer in answers] == [401] * FREE + [429] * 190
    for answer in answers[FREE:]:
        assert_limited(answer, 1)
    assert log_in(api_at(OWNERS), PASSWORD).status_code == 200
    assert_limited(log_in(attacker, PASSWORD), 1)


def test_an_owner_who_mistypes_can_log_in_after_the_wait(clock: time_machine.Traveller, owner: User) -> None:
    api = api_at(OWNERS)
    for _ in range(FREE):
        log_in(api, "wrong")
    clock.shift(0.4)
    assert_limited(log_in(api, PASSWORD), 1)
    clock.shift(0.6)
    assert log_in(api, PASSWORD).status_code == 200


def test_the_longest_wait_is_15_minutes(clock: time_machine.Traveller, owner: User) -> None:
    api = api_at(OTHER)
    waits = []
    for _ in range(FREE + 12):
        answer = log_in(api, "wrong")
        if answer.status_code == 429:
            waits.append(int(answer["Retry-After"]))
            clock.shift(waits[-1])
            assert log_in(api, "wrong").status_code == 401
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, LONGEST_WAIT, LONGEST_WAIT]


def test_a_correct_password_is_not_counted(owner: User) -> None:
    api = api_at(OWNERS)
    answers = [log_in(api, PASSWORD) for _ in range(3 * FREE)]
    assert {(answer.status_code, answer["RateLimit"]) for answer in answers} == {(200, f'"login";r={FREE};t={MEMORY}')}
    assert [log_in(api, "wrong").status_code for _ in range(FREE)] == [401] * FREE


def test_a_correct_password_gives_no_additional_attempts(clock: time_machine.Traveller, owner: User) -> None:
    make_user(username="otto", password=PASSWORD)
    api = api_at(OTHER)
    for _ in range(FREE - 1):
        assert log_in(api, "wrong", "ines").status_code == 401
        assert log_in(api, PASSWORD, "otto").status_code == 200
    assert log_in(api, "wrong", "ines").status_code == 401
    assert_limited(log_in(api, PASSWORD, "otto"), 1)
    clock.shift(1)
    assert log_in(api, PASSWORD, "otto").status_code == 200
    assert log_in(api, "wrong", "ines").status_code == 401
    assert_limited(log_in(api, PASSWORD, "otto"), 2)


def test_unknown_names_count_like_known_ones(clock: time_machine.Traveller) -> None:
    api = api_at(OTHER)
    assert [log_in(api, PASSWORD, f"name{number}").status_code for number in range(FREE)] == [401] * FREE
    assert_limited(log_in(api, PASSWORD, "another"), 1)


def test_invalid_requests_are_not_counted(owner: User) -> None:
    api = api_at(OTHER)
    for body in (b"{", {}, {"username": "ines"}, {"username": "ines", "password": ""}) * FREE:
        assert api.post("/auth/login", body).status_code in (400, 422)
    assert log_in(api, "wrong")["RateLimit"] == f'"login";r={FREE - 1};t={MEMORY}'


def test_successful_requests_are_not_counted(owner: User) -> None:
    api = api_at(OWNERS)
    token = sessions.start(owner).refresh_token
    for number in range(2 * FREE):
        answer = api.post("/auth/refresh", {"refresh_token": token})
        assert answer.status_code == 200
        token = answer.json()["refresh_token"]
        body = {"username": f"guest{number}", "email": f"guest{number}@example.com", "password": PASSWORD}
        assert api.post("/auth/register", body).status_code == 201
        assert api.acting_as(owner).patch("/users/me", {"bio": f"Bio {number}"}).status_code == 200


def test_a_weak_new_password_is_not_counted(owner: User) -> None:
    api = api_at(OWNERS, owner)
    for _ in range(FREE + 1):
        weak_change = {"current_password": PASSWORD, "new_password": "12345678"}
        assert api.post("/auth/password/change", weak_change).status_code == 422
        weak = {"username": "guest", "email": "guest@example.com", "password": "12345678"}
        assert api.post("/auth/register", weak).status_code == 422


def test_the_profile_can_be_changed_during_the_wait(owner: User) -> None:
    api = api_at(OWNERS)
    for _ in range(FREE):
        wrong_current_password(api, owner)
    assert wrong_current_password(api, owner).status_code == 429
    assert api.acting_as(owner).patch("/users/me", {"bio": "Patient"}).json()["bio"] == "Patient"


def test_a_correct_current_password_is_not_counted(owner: User) -> None:
    api = api_at(OWNERS, owner)
    for _ in range(FREE):
        for old, new in ((PASSWORD, NEW_PASSWORD), (NEW_PASSWORD, PASSWORD)):
            body = {"current_password": old, "new_password": new}
            assert api.post("/auth/password/change", body).status_code == 204


def test_each_action_is_counted_separately(owner: User) -> None:
    api = api_at(OTHER)
    for act, status, action in ACTIONS:
        answer = act(api, owner)
        assert answer.status_code == status
        assert answer["RateLimit"].startswith(f'"{action}";r=')
    for _ in range(FREE):
        log_in(api, "wrong")
    assert log_in(api, "wrong").status_code == 429
    assert [act(api, owner).status_code for act, *_ in ACTIONS[1:]] == [status for _, status, _ in ACTIONS[1:]]


def test_the_number_of_free_failures_is_a_setting(owner: User, settings: Any) -> None:
    settings.FREE_FAILURES = 2
    api = api_at(OTHER)
    answers = [log_in(api, "wrong") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert answers[0]["RateLimit-Policy"] == f'"login";q=2;w={MEMORY}'


@pytest.mark.parametrize("kind", ["access token", "API token"])
def test_a_valid_token_never_has_to_wait(clock: time_machine.Traveller, owner: User, kind: str) -> None:
    api = api_at(OTHER)
    token = sessions.start(owner).access_token
    if kind == "API token":
        _, token = api_tokens.create_api_token(user=owner, name="build", scope="read")
    for _ in range(FREE):
        garbage_token(api, owner)
    for act in (garbage_token, forged_token, guessed_api_token):
        assert_limited(act(api, owner), 1, "token")
        for path in ("/users/me", "/posts"):
            answer = api.get(path, Authorization=f"Bearer {token}")
            assert answer.status_code == 200
            assert "RateLimit" not in answer
    assert api.get("/posts").status_code == 200


def test_an_expired_token_is_not_counted(clock: time_machine.Traveller, owner: User) -> None:
    api = api_at(OTHER)
    expired = sessions.start(owner).access_token
    _, expired_api_token = api_tokens.create_api_token(
        user=owner, name="build", scope="read", expires_at=START + timedelta(seconds=1)
    )
    clock.shift(3600)
    ended = sessions.start(owner)
    sessions.end_by_token(ended.refresh_token)
    for _ in range(FREE + 1):
        for token in (expired, expired_api_token, ended.access_token):
            answer = api.get("/users/me", Authorization=f"Bearer {token}")
            assert_problem(answer, 401, "unauthenticated")
            assert "RateLimit" not in answer


def test_an_ipv6_network_counts_as_one_address(clock: time_machine.Traveller, owner: User) -> None:
    for number in range(FREE):
        assert log_in(api_at(f"2001:db8:0:1:{number:x}::{number:x}"), "wrong").status_code == 401
    assert_limited(log_in(api_at("2001:db8:0:1:ffff:ffff:ffff:ffff"), PASSWORD), 1)
    assert log_in(api_at("2001:db8:0:2::1"), PASSWORD).status_code == 200


def test_an_ipv4_mapped_ipv6_address_counts_as_the_ipv4_address(clock: time_machine.Traveller, owner: User) -> None:
    for _ in range(FREE):
        log_in(api_at(f"::ffff:{OTHER}"), "wrong")
    assert_limited(log_in(api_at(OTHER), PASSWORD), 1)
    assert log_in(api_at(f"::ffff:{OWNERS}"), PASSWORD).status_code == 200


@pytest.mark.parametrize("address", ["", "unix:", "fe80::1%eth0", "not an address"])
def test_an_unusual_address_is_throttled_too(owner: User, address: str) -> None:
    api = api_at(address)
    assert log_in(api, PASSWORD).status_code == 200
    assert [log_in(api, "wrong").status_code for _ in range(FREE)] == [401] * FREE
    assert log_in(api, PASSWORD).status_code == 429


def test_failures_from_many_addresses_make_the_account_wait(clock: time_machine.Traveller, owner: User) -> None:
    make_user(username="otto", password=PASSWORD)
    names = ["ines", "INES", " ines "]
    for number in range(FREE_PER_ACCOUNT):
        answer = log_in(api_at(f"203.0.113.{number}"), "wrong", names[number % 3])
        assert answer.status_code == 401
    assert_limited(log_in(api_at(OWNERS), PASSWORD), 1)
    assert log_in(api_at(OWNERS), PASSWORD, "otto").status_code == 200
    clock.shift(1)
    assert log_in(api_at(OTHER), "wrong").status_code == 401
    assert_limited(log_in(api_at(OWNERS), PASSWORD), 2)
    clock.shift(2)
    assert log_in(api_at(OWNERS), PASSWORD).status_code == 200


def test_a_wait_for_the_account_does_not_count_for_the_address(clock: time_machine.Traveller, owner: User) -> None:
    for number in range(FREE_PER_ACCOUNT):
        log_in(api_at(f"203.0.113.{number}"), "wrong")
    for _ in range(2 * FREE):
        assert_limited(log_in(api_at(OWNERS), PASSWORD), 1)
    assert log_in(api_at(OWNERS), "wrong", "stranger")["RateLimit"] == f'"login";r={FREE - 1};t={MEMORY}'


def test_a_server_error_is_not_counted(owner: User) -> None:
    api = api_at(OWNERS)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE accounts_user RENAME TO accounts_user_away")
        if connection.vendor == "sqlite":  # elsewhere a transaction that failed once cannot go on
            assert {log_in(api, PASSWORD).status_code for _ in range(2 * FREE)} == {500}
        transaction.set_rollback(True)
    assert log_in(api, "wrong")["RateLimit"] == f'"login";r={FREE - 1};t={MEMORY}'


def test_failures_are_throttled_with_redis_too(tmp_path: Path, owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    with redis_server(tmp_path, free_port()) as url, time_machine.travel(START, tick=False) as clock:
        throttle = RedisThrottle(url)
        monkeypatch.setattr("accounts.login_throttle.throttle", throttle)
        api = api_at(OTHER)
        assert [log_in(api, "wrong").status_code for _ in range(FREE)] == [401] * FREE
        assert_limited(log_in(api, PASSWORD), 1)
        assert log_in(api_at(OWNERS), PASSWORD).status_code == 200
        clock.shift(1)
        assert log_in(api, PASSWORD).status_code == 200
        throttle._client.close()


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        (WrongCredentials, 1),
        (asyncio.CancelledError, 1),  # the client disconnected before the response
        (Conflict, 0),
        (Overloaded, 0),
        (OperationalError, 0),
    ],
)
def test_only_failures_are_counted(error: type[BaseException], counted: int) -> None:
    async def fail(failures: FailureThrottle) -> None:
        try:
            async with failures:
                raise error
        except ErrorWithHeaders as wrapped:
            raise wrapped.error from None

    for number in range(3):
        failures = FailureThrottle("test", RequestFactory().post("/", REMOTE_ADDR=OTHER))
        with pytest.raises(error):
            async_to_sync(fail)(failures)
        assert failures.rate_limit["RateLimit"] == f'"test";r={FREE - (number + 1) * counted};t={MEMORY}'
