"""Pins processes to processors: the servers share one, and the load has another if there are two."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_CAN_PIN = hasattr(os, "sched_setaffinity")
_AVAILABLE = sorted(os.sched_getaffinity(0)) if _CAN_PIN else []


@contextmanager
def of_the_server() -> Iterator[None]:
    """Processes that are started in this block stay on the processor of the servers."""
    with _pinned(_AVAILABLE[:1]):
        yield


@contextmanager
def of_the_load() -> Iterator[None]:
    """In this block, this process and those that it starts stay on the processor of the load."""
    with _pinned(_AVAILABLE[-1:]):
        yield


def description() -> str:
    """Return how the processors are used, for the report."""
    if not _CAN_PIN:
        return "processes are not pinned, because this system does not support it"
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
