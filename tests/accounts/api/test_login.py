"""`POST /auth/login`."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from accounts.credentials import access_tokens, passwords
from accounts.models import Session, User
from tests.accounts.password_queue import full_queue
from tests.client import Api, assert_problem
from tests.factories import PASSWORD, make_user


@pytest.mark.parametrize("login", ["Ines", "ines", "INES", "ines@example.com", "INES@Example.Com"])
def test_a_name_or_an_address_in_any_letter_case_logs_in(api: Api, login: str) -> None:
    reader = make_user(username="Ines", email="Ines@example.com", password=PASSWORD)
    response = api.post("/auth/login", {"username": login, "password": PASSWORD})
    assert response.status_code == 200
    answer = response.json()
    claims = access_tokens.verify(answer.pop("access_token"))
    assert (claims.user_id, claims.session_id) == (reader.pk, reader.sessions.get().pk)
    assert answer.pop("refresh_token")
    assert answer == {"token_type": "bearer", "expires_in": 600}
    assert response["Cache-Control"] == "private, no-store"


def test_the_access_token_reads_the_users_account(api: Api) -> None:
    reader = make_user(password=PASSWORD)
    token = api.post("/auth/login", {"username": reader.username, "password": PASSWORD}).json()["access_token"]
    assert api.get("/users/me", Authorization=f"Bearer {token}").json()["id"] == reader.pk


def test_every_refused_login_gets_the_same_response(api: Api, forget_failures: Callable[[], None]) -> None:
    make_user(username="ines", email="ines@example.com", password=PASSWORD)
    make_user(username="gone", email="gone@example.com", password=PASSWORD, is_active=False)
    make_user(username="nopassword")
    attempts = [
        ("ines", "wrong"),
        ("ines@example.com", "wrong"),
        ("ines", PASSWORD.upper()),
        ("stranger", PASSWORD),
        ("stranger@example.com", PASSWORD),
        ("gone", PASSWORD),
        ("gone@example.com", PASSWORD),
        ("nopassword", PASSWORD),
        ("", PASSWORD),
    ]
    answers = []
    for name, password in attempts:
        forget_failures()
        answers.append(api.post("/auth/login", {"username": name, "password": password}))
    for answer in answers:
        assert_problem(answer, 401, "wrong_credentials")
    assert len({answer.content for answer in answers}) == 1
    assert len({tuple(sorted(answer.items())) for answer in answers}) == 1
    assert not Session.objects.exists()


def test_a_weaker_hash_is_replaced_after_a_correct_password(api: Api) -> None:
    reader = make_user(username="ines")
    weak_hash = PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1000)
    User.objects.filter(pk=reader.pk).update(password=weak_hash)
    assert_problem(api.post("/auth/login", {"username": "ines", "password": "wrong"}), 401, "wrong_credentials")
    reader.refresh_from_db()
    assert reader.password == weak_hash
    hashes = []
    for _ in range(2):
        assert api.post("/auth/login", {"username": "ines", "password": PASSWORD}).status_code == 200
        reader.refresh_from_db()
        hashes.append(reader.password)
    assert hashes[0].startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert hashes[0] == hashes[1]
    assert reader.sessions.count() == 2


@pytest.mark.parametrize(
    ("name", "password"), [("ines", PASSWORD), ("ines", "wrong"), ("stranger", PASSWORD), ("gone", PASSWORD)]
)
def test_every_attempt_costs_one_hash(api: Api, monkeypatch: pytest.MonkeyPatch, name: str, password: str) -> None:
    make_user(username="ines", password=PASSWORD)
    make_user(username="gone", password=PASSWORD, is_active=False)
    passwords._dummy_hash()
    hashed: list[str] = []
    verify = passwords.Argon2Hasher.verify

    def counted(hasher: passwords.Argon2Hasher, password: str, encoded: str) -> bool:
        hashed.append(encoded)
        return verify(hasher, password, encoded)

    monkeypatch.setattr(passwords.Argon2Hasher, "verify", counted)
    api.post("/auth/login", {"username": name, "password": password})
    assert [encoded.rpartition("$")[0].rpartition("$")[0] for encoded in hashed] == [
        "argon2$argon2id$v=19$m=19456,t=2,p=1"
    ]


def test_a_full_password_queue_is_503(api: Api) -> None:
    make_user(username="ines", password=PASSWORD)
    with full_queue():
        response = api.post("/auth/login", {"username": "ines", "password": PASSWORD})
    assert_problem(response, 503, "overloaded")
    assert int(response["Retry-After"]) > 0
    assert api.post("/auth/login", {"username": "ines", "password": PASSWORD}).status_code == 200


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["#/username", "#/password"]),
        ({"username": "ines", "password": ""}, ["#/password"]),
        ({"username": "ines", "password": None}, ["#/password"]),
        ({"username": None, "password": PASSWORD}, ["#/username"]),
        ({"username": 10**30, "password": 10**30}, ["#/username", "#/password"]),
        ({"username": "a" * 255, "password": "p" * 257}, ["#/username", "#/password"]),
        ({"username": "\x00", "password": "\x00"}, ["#/username", "#/password"]),
        ({"username": "\ud800", "password": "\udfff"}, ["#/username", "#/password"]),
        ({"username": "ines", "password": PASSWORD, "email": "ines@example.com"}, ["#/email"]),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_credentials_are_read_strictly(api: Api, body: dict[str, Any], pointers: list[str]) -> None:
    assert_problem(api.post("/auth/login", body), 422, "validation_error", *pointers)
