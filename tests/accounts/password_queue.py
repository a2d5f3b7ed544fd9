"""Fills the queue of passwords that wait to be hashed."""

from collections.abc import Iterator
from contextlib import contextmanager

from accounts.credentials import passwords


@contextmanager
def full_queue(free: int = 0) -> Iterator[None]:
    """Takes all slots of the queue except `free`."""
    taken = passwords.MAX_WAITING - free
    for _ in range(taken):
        assert passwords._slots.acquire(blocking=False)
    try:
        yield
    finally:
        passwords._slots.release(taken)
