"""Which processor does what: the servers share one, and what loads them has another, where there are two."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_CAN_PIN = hasattr(os, "sched_setaffinity")
_AVAILABLE = sorted(os.sched_getaffinity(0)) if _CAN_PIN else []


@contextmanager
def of_the_server() -> Iterator[None]:
    """Processes that are started in here stay on the servers' processor."""
    with _pinned(_AVAILABLE[:1]):
        yield


@contextmanager
def of_the_load() -> Iterator[None]:
    """This process, and processes that are started in here, stay on the other processor."""
    with _pinned(_AVAILABLE[-1:]):
        yield


def description() -> str:
    """How processors are shared, for the report."""
    if not _CAN_PIN:
        return "not pinned: this system cannot"
    return f"servers on processor {_AVAILABLE[0]}, load on processor {_AVAILABLE[-1]}"


@contextmanager
def _pinned(processors: list[int]) -> Iterator[None]:
    if not _CAN_PIN:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
