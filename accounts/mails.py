"""The letters that accounts get. They are sent from a thread of their own: nobody waits for a mail server."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
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

_postman = ThreadPoolExecutor(1, thread_name_prefix="mail")
_places = BoundedSemaphore(MAX_WAITING)


def send_password_reset(user: User | None) -> Future[None]:
    """Send a link that sets a new password, once, within an hour. For nobody, the asking takes as long."""
    return _post(_password_reset, user)


def send_password_changed(user: User) -> Future[None]:
    """Tell a user that their password is another one now."""
    return _post(_send, user.email, "Your password was changed", _CHANGE_LETTER.format(name=user.get_full_name()))


def send_email_changed(user: User, old_email: str) -> Future[None]:
    """Tell the old address that it is not the account's any more."""
    text = _ADDRESS_LETTER.format(name=user.get_full_name(), username=user.username)
    return _post(_send, old_email, "Your e-mail address was changed", text)


def _password_reset(user: User | None) -> None:
    if user is None:
        return
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    token = default_token_generator.make_token(user)
    url = settings.PASSWORD_RESET_URL.replace("{uid}", uid).replace("{token}", token)
    text = _RESET_LETTER.format(name=user.get_full_name(), username=user.username, url=url)
    _send(user.email, "Set a new password", text)


def _send(to: str, subject: str, text: str) -> None:
    try:
        send_mail(subject, text, None, [to])
    except Exception:
        logger.exception("A mail could not be sent: %s", subject)


def _post(function: Callable[P, None], *arguments: P.args, **options: P.kwargs) -> Future[None]:
    if not _places.acquire(blocking=False):
        logger.error("Too many mails wait to be sent: one is dropped.")
        dropped: Future[None] = Future()
        dropped.set_result(None)
        return dropped
    future = _postman.submit(function, *arguments, **options)
    future.add_done_callback(lambda _: _places.release())
    return future


_RESET_LETTER = """\
Hello {name},

somebody, hopefully you, asked for a new password for the account "{username}". Set it here within an hour:

{url}

If it was not you, there is nothing to do: the old password is still good.
"""

_CHANGE_LETTER = """\
Hello {name},

the password of your account was changed, and your other sessions have ended.

If it was not you, ask for a new password at once, and tell an admin.
"""

_ADDRESS_LETTER = """\
Hello {name},

the e-mail address of your account "{username}" was changed: this one is not used any more.

If it was not you, tell an admin at once.
"""
