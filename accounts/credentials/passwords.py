"""Passwords: Argon2id, in threads of their own.

A hash takes tens of milliseconds and 19 MiB on purpose, so it runs neither on the event loop, where Django's own
`acheck_password` would run it, nor in a database thread. The queue is bounded: a flood of logins is told to come back.
"""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import BoundedSemaphore
from typing import NamedTuple, ParamSpec, TypeVar

from django.contrib.auth import hashers, password_validation
from django.core.exceptions import ValidationError

from accounts.models import User
from blogsite.errors import FieldError, Invalid, Overloaded

THREADS = 2
MAX_WAITING = 64

P = ParamSpec("P")
R = TypeVar("R")

_executor = ThreadPoolExecutor(THREADS, thread_name_prefix="password")
_places = BoundedSemaphore(MAX_WAITING)


class Argon2Hasher(hashers.Argon2PasswordHasher):
    """Argon2id with the least costs that OWASP recommends: 2 passes over 19 MiB, one lane.

    https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
    """

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1


async def hash_new(password: str, *, user: User, field: str = "password") -> str:
    """Check a new password for `user` against the validators, and hash it.

    Raises `Invalid` with a pointer to `field`, and `Overloaded`.
    """
    return await _run(_validate_and_hash, password, user, field)


class Match(NamedTuple):
    """Whether a password was right; and its new hash, if the old one is weaker than those made today."""

    right: bool
    better_hash: str | None = None


async def match(password: str, encoded: str | None) -> Match:
    """Hold `password` against `encoded`; None does the same work and never matches. Raises `Overloaded`."""
    return await _run(_match, password, encoded)


async def _run(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    if not _places.acquire(blocking=False):
        raise Overloaded("Too many passwords to check at once.")
    future = _executor.submit(function, *args, **kwargs)
    # A client that hangs up cancels the wait and not the thread: the place is free when the work is done.
    future.add_done_callback(lambda _: _places.release())
    return await asyncio.wrap_future(future)


def _validate_and_hash(password: str, user: User, field: str) -> str:
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise Invalid(
            errors=[FieldError(f"#/{field}", e.code or "password_weak", e.messages[0]) for e in error.error_list]
        ) from None
    return hashers.make_password(password)


def _match(password: str, encoded: str | None) -> Match:
    right, is_old = hashers.verify_password(password, encoded or _nobodys_hash())
    if not right or encoded is None:
        return Match(False)
    return Match(True, hashers.make_password(password) if is_old else None)


@cache
def _nobodys_hash() -> str:
    return hashers.make_password(secrets.token_urlsafe())
