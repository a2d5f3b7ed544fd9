"""Hashes and checks passwords with Argon2id, in a thread pool of its own.

A hash deliberately takes tens of milliseconds and 19 MiB. It therefore runs neither on the event loop, where Django's
`acheck_password` would run it, nor in a database thread. The queue is bounded: beyond it, `Overloaded` is raised.
"""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import cache, wraps
from threading import BoundedSemaphore
from typing import Any, NamedTuple, ParamSpec, TypeVar

from django.contrib.auth import hashers, password_validation
from django.core.exceptions import ValidationError

from accounts.models import User
from blogsite.errors import FieldError, Invalid, Overloaded

THREADS = 2
MAX_WAITING = 64

P = ParamSpec("P")
R = TypeVar("R")

_executor = ThreadPoolExecutor(THREADS, thread_name_prefix="password")
_slots = BoundedSemaphore(MAX_WAITING)


class Argon2Hasher(hashers.Argon2PasswordHasher):
    """Argon2id with the minimum parameters that OWASP recommends: 2 passes over 19 MiB, one lane.

    https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
    """

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1


def _in_executor(function: Callable[P, R]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Make a function run in the thread pool. Calling it raises `Overloaded` while the queue is full."""

    @wraps(function)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if not _slots.acquire(blocking=False):
            raise Overloaded("Too many passwords are being checked at the same time.")
        future = _executor.submit(function, *args, **kwargs)
        # A client that disconnects cancels the await but not the thread: the slot is released when the work is done.
        future.add_done_callback(lambda _: _slots.release())
        return await asyncio.wrap_future(future)

    return run


@_in_executor
def hash_new(password: str, *, user: User, field: str = "password") -> str:
    """Return the hash of a new password for `user`. Raises `Invalid` at `field` for a weak one, and `Overloaded`."""
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        errors = [FieldError(f"#/{field}", e.code or "password_weak", e.messages[0]) for e in error.error_list]
        raise Invalid(errors=errors) from None
    return hashers.make_password(password)


class Match(NamedTuple):
    """The result of a password check. `better_hash` is a new hash if the stored one has weaker parameters."""

    is_correct: bool
    better_hash: str | None = None


@_in_executor
def match(password: str, encoded: str | None) -> Match:
    """Check `password` against the hash `encoded`. None never matches, after the same work. Raises `Overloaded`."""
    is_correct, is_old = hashers.verify_password(password, encoded or _dummy_hash())
    if not is_correct or encoded is None:
        return Match(False)
    return Match(True, hashers.make_password(password) if is_old else None)


@cache
def _dummy_hash() -> str:
    return hashers.make_password(secrets.token_urlsafe())
