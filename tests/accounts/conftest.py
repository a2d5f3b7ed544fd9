"""Fixtures of the tests of accounts."""

import logging
from collections.abc import Callable, Iterator

import pytest
from django.core.mail import EmailMessage

from accounts import mails
from tests.accounts.capture import Log

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
