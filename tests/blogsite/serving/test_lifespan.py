"""The server's start and shutdown."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from asgiref.sync import async_to_sync

from blogsite.serving.asgi import Message
from blogsite.serving.lifespan import Lifespan
from tests.blogsite.serving.asgi import call, echo, make_scope


def resource(log: list[str], name: str, fails: bool = False) -> Callable[[], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[None]:
        if fails:
            raise OSError(f"no {name} here")
        log.append(f"open {name}")
        try:
            yield
        finally:
            log.append(f"close {name}")

    return opened


def start_and_stop(lifespan: Lifespan) -> list[Message]:
    """Start and stop as a server does, and return the messages that were sent."""
    sent: list[Message] = []
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    async_to_sync(lifespan.__call__)({"type": "lifespan"}, receive, send)
    return sent


def test_resources_are_opened_in_order_and_closed_in_reverse() -> None:
    log: list[str] = []
    sent = start_and_stop(Lifespan(echo, [resource(log, "threads"), resource(log, "detector")]))
    assert log == ["open threads", "open detector", "close detector", "close threads"]
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_resource_that_cannot_be_opened_ends_the_start_and_closes_the_others() -> None:
    log: list[str] = []
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        sent.append(message)

    lifespan = Lifespan(echo, [resource(log, "threads"), resource(log, "detector", fails=True)])
    with pytest.raises(OSError, match="no detector here"):
        async_to_sync(lifespan.__call__)({"type": "lifespan"}, receive, send)
    assert sent == [{"type": "lifespan.startup.failed", "message": "no detector here"}]
    assert log == ["open threads", "close threads"]


def test_http_requests_are_passed_on() -> None:
    assert call(Lifespan(echo, []), make_scope()).status == 200


def test_other_protocols_are_an_error() -> None:
    with pytest.raises(ValueError, match="websocket"):
        call(Lifespan(echo, []), {"type": "websocket"})
