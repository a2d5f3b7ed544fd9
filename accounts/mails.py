"""The mails that users receive. One thread sends them, so that no request waits for the mail server."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import ParamSpec

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts.models import User

P = ParamSpec("P")

logger = logging.getLogger(__name__)

MAX_WAITING = 1000

_mail_executor = ThreadPoolExecutor(1, thread_name_prefix="mail")
_slots = BoundedSemaphore(MAX_WAITING)


def send_password_reset(user: User | None) -> None:
    """Send a link that sets a new password once, within an hour. For None, only takes the same time."""
    _send_later(_send_password_reset, user)


def send_password_changed(user: User) -> None:
    """Tell a user that their password was changed."""
    paragraphs = [
        "the password of your account was changed, and your other sessions have ended.",
        "If it was not you, reset your password at once, and tell an admin.",
    ]
    _send_later(_send, user, user.email, "Your password was changed", paragraphs)


def send_email_changed(user: User, old_email: str) -> None:
    """Tell the owner of the old address that the account no longer uses it."""
    paragraphs = [
        f'the e-mail address of your account "{user.username}" was changed: the account no longer uses this address.',
        "If it was not you, tell an admin at once.",
    ]
    _send_later(_send, user, old_email, "Your e-mail address was changed", paragraphs)


def _send_password_reset(user: User | None) -> None:
    if user is None:
        return
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    token = default_token_generator.make_token(user)
    paragraphs = [
        f'someone, hopefully you, asked for a new password for the account "{user.username}". '
        "Set it here within an hour:",
        settings.PASSWORD_RESET_URL.replace("{uid}", uid).replace("{token}", token),
        "If it was not you, you need not do anything: the old password is still valid.",
    ]
    _send(user, user.email, "Set a new password", paragraphs)


def _send(user: User, to: str, subject: str, paragraphs: list[str]) -> None:
    text = "\n\n".join([f"Hello {user.get_full_name()},", *paragraphs]) + "\n"
    try:
        send_mail(subject, text, None, [to])
    except Exception:
        logger.exception("A mail could not be sent: %s", subject)


def _send_later(function: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    if _slots.acquire(blocking=False):
        _mail_executor.submit(function, *args, **kwargs).add_done_callback(lambda _: _slots.release())
    else:
        logger.error("The queue of mails is full: one mail was dropped.")
