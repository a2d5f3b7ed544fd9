"""Fixtures of the tests of accounts."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine
from django.core.mail import EmailMessage
from django.test import Client

from accounts import mails
from accounts.credentials import passwords
from accounts.models import User
from tests.accounts.capture import Log
from tests.accounts.throttled_logins import START
from tests.factories import PASSWORD, make_admin, make_user

Sent = Callable[[], list[EmailMessage]]


@pytest.fixture
def sent(mailoutbox: list[EmailMessage]) -> Sent:
    """Returns a function that waits for the mail queue and returns the mails sent since the test began."""

    def delivered() -> list[EmailMessage]:
        mails._mail_executor.submit(lambda: None).result(timeout=10)
        return mailoutbox

    delivered().clear()
    return delivered


@pytest.fixture
def log() -> Iterator[Log]:
    """Captures the records of every logger, from the level DEBUG on."""
    handler, root = Log(), logging.getLogger()
    loggers = [root, *(known for known in root.manager.loggerDict.values() if isinstance(known, logging.Logger))]
    before = [(known, known.level, known.propagate, known.disabled) for known in loggers]
    for known in loggers:
        known.setLevel(logging.DEBUG)
        known.propagate, known.disabled = True, False
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)
    for known, level, known.propagate, known.disabled in before:
        known.setLevel(level)


@pytest.fixture
def admin(db: None) -> User:
    return make_admin(username="ada", email="ada@example.com")


@pytest.fixture
def pages(client: Client, admin: User) -> Client:
    """A client that is logged in to the admin site as an admin."""
    client.force_login(admin)
    return client


@pytest.fixture
def cheap_hashes(settings: Any) -> Iterator[None]:
    """Makes hashing fast for tests that try hundreds of passwords."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    passwords._dummy_hash.cache_clear()
    yield
    passwords._dummy_hash.cache_clear()


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """A clock that only the test moves."""
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def owner(db: None) -> User:
    return make_user(username="ines", email="ines@example.com", password=PASSWORD)
