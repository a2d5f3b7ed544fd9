"""Passwords: hashing, validation, and the bounded queue."""

import asyncio
from threading import Event

import argon2
import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from accounts.credentials import passwords
from accounts.models import User
from blogsite.errors import Invalid, Overloaded
from tests.accounts.password_queue import full_queue
from tests.factories import PASSWORD

hash_new = async_to_sync(passwords.hash_new)
match = async_to_sync(passwords.match)


def test_a_password_is_hashed_with_argon2id_and_its_own_salt() -> None:
    first, second = (hash_new(PASSWORD, user=User(username="ines")) for _ in range(2))
    assert first.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert PASSWORD not in first
    assert first != second


def test_only_the_correct_password_matches() -> None:
    encoded = hash_new(PASSWORD, user=User())
    assert match(PASSWORD, encoded) == (True, None)
    assert match(PASSWORD + " ", encoded) == (False, None)
    assert match(PASSWORD.upper(), encoded) == (False, None)


@pytest.mark.parametrize(
    "weak_hash",
    [
        PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1000),
        "argon2" + argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD),
    ],
    ids=["PBKDF2", "cheap Argon2"],
)
def test_a_correct_password_returns_a_better_hash_for_a_weak_one(weak_hash: str) -> None:
    right, better_hash = match(PASSWORD, weak_hash)
    assert right
    assert better_hash is not None
    assert better_hash.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert match(PASSWORD, better_hash) == (True, None)
    assert match("wrong", weak_hash) == (False, None)


def test_nothing_matches_without_a_hash() -> None:
    assert match(PASSWORD, None) == (False, None)
    assert match("", None) == (False, None)


@pytest.mark.parametrize(
    ("password", "codes"),
    [
        ("x7-qPz!", ["password_too_short"]),
        ("password123", ["password_too_common"]),
        ("ines.moreau", ["password_too_similar"]),
        ("Ines-Moreau-1", ["password_too_similar"]),
        ("breadandbutter", ["password_too_similar"]),
        ("qwerty", ["password_too_short", "password_too_common"]),
    ],
)
def test_a_weak_password_is_refused_for_every_reason_at_once(password: str, codes: list[str]) -> None:
    user = User(username="ines.moreau", email="breadandbutter@example.com")
    with pytest.raises(Invalid) as refusal:
        hash_new(password, user=user)
    assert [(error.pointer, error.code) for error in refusal.value.errors] == [("#/password", code) for code in codes]
    assert all(password not in error.message for error in refusal.value.errors)


def test_a_password_like_the_full_name_is_refused() -> None:
    with pytest.raises(Invalid):
        hash_new("Ines Moreau", user=User(username="baker", full_name="Ines Moreau"))


def test_a_refusal_points_to_the_field_that_was_sent() -> None:
    with pytest.raises(Invalid) as refusal:
        hash_new("short", user=User(), field="new_password")
    assert {error.pointer for error in refusal.value.errors} == {"#/new_password"}


def test_a_full_queue_refuses_at_once() -> None:
    with full_queue():
        with pytest.raises(Overloaded):
            hash_new(PASSWORD, user=User())
        with pytest.raises(Overloaded):
            match(PASSWORD, None)


def test_each_password_releases_its_slot_in_the_queue() -> None:
    with full_queue(free=1):
        encoded = hash_new(PASSWORD, user=User())
        assert match(PASSWORD, encoded).is_correct
        with pytest.raises(Invalid):
            hash_new("short", user=User())
        assert not match("wrong", encoded).is_correct


def test_a_disconnected_client_keeps_its_slot_until_the_work_is_done() -> None:
    started, finish = Event(), Event()

    def work() -> None:
        started.set()
        finish.wait(timeout=10)

    async def hang_up() -> None:
        waiting = asyncio.create_task(passwords._in_executor(work)())
        await asyncio.to_thread(started.wait, 10)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    with full_queue(free=1):
        async_to_sync(hang_up)()
        with pytest.raises(Overloaded):
            match(PASSWORD, None)
        finish.set()
        assert passwords._slots.acquire(timeout=10)
        passwords._slots.release()
