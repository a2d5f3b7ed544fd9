"""Mails: no caller waits for one, a failing mail server affects no request, and the queue is bounded."""

import logging
from threading import Event
from typing import Any

import pytest
from django.core.mail import EmailMessage

from accounts import mails
from accounts.models import User
from tests.accounts.conftest import Sent
from tests.server import free_port

INES = User(pk=7, username="ines", email="ines@example.com", password="!")


def test_no_mail_is_sent_without_a_user(sent: Sent) -> None:
    mails.send_password_reset(None)
    assert sent() == []


def test_a_mail_has_the_configured_sender_and_the_name_of_the_user(sent: Sent, settings: Any) -> None:
    settings.DEFAULT_FROM_EMAIL = "Blog <blog@example.org>"
    mails.send_password_reset(INES)
    mails.send_password_changed(INES)
    mails.send_email_changed(INES, "old@example.com")
    assert [(mail.from_email, mail.to) for mail in sent()] == [
        ("Blog <blog@example.org>", ["ines@example.com"]),
        ("Blog <blog@example.org>", ["ines@example.com"]),
        ("Blog <blog@example.org>", ["old@example.com"]),
    ]
    assert all(mail.body.startswith("Hello ines,\n") for mail in sent())


def test_a_slow_mail_server_blocks_no_caller(sent: Sent, mailoutbox: list[EmailMessage]) -> None:
    answered = Event()
    mails._mail_executor.submit(answered.wait, 10)
    try:
        mails.send_password_changed(INES)
        assert mailoutbox == []
    finally:
        answered.set()
    assert len(sent()) == 1


def test_a_mail_that_cannot_be_sent_is_logged_and_stops_no_other(
    sent: Sent, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    to_memory = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    mails.send_password_changed(INES)
    assert sent() == []
    settings.EMAIL_BACKEND = to_memory
    mails.send_password_changed(INES)
    assert len(sent()) == 1
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info
    assert record.getMessage() == "A mail could not be sent: Your password was changed"


def test_a_mail_beyond_the_queue_is_dropped_and_logged(sent: Sent, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(mails.MAX_WAITING):
        assert mails._slots.acquire(blocking=False)
    try:
        mails.send_password_changed(INES)
    finally:
        mails._slots.release(mails.MAX_WAITING)
    assert sent() == []
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    mails.send_password_changed(INES)
    assert len(sent()) == 1


def test_each_mail_releases_its_slot_in_the_queue(sent: Sent) -> None:
    for _ in range(mails.MAX_WAITING - 1):
        assert mails._slots.acquire(blocking=False)
    try:
        for _ in range(3):
            mails.send_password_changed(INES)
            sent()
    finally:
        mails._slots.release(mails.MAX_WAITING - 1)
    assert len(sent()) == 3
