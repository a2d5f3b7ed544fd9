"""The server's start and end."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from asgiref.sync import async_to_sync

from blogsite.serving.asgi import Message
from blogsite.serving.lifespan import Lifespan
from tests.blogsite.serving.asgi import ask, echo, scope_of


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


def live(lifespan: Lifespan) -> list[Message]:
    """Start and stop, as a server does, and return what was said."""
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
    sent = live(Lifespan(echo, [resource(log, "threads"), resource(log, "clock")]))
    assert log == ["open threads", "open clock", "close clock", "close threads"]
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_resource_that_cannot_be_opened_ends_the_start_with_its_message_and_closes_the_rest() -> None:
    log: list[str] = []
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        sent.append(message)

    lifespan = Lifespan(echo, [resource(log, "threads"), resource(log, "clock", fails=True)])
    with pytest.raises(OSError, match="no clock here"):
        async_to_sync(lifespan.__call__)({"type": "lifespan"}, receive, send)
    assert sent == [{"type": "lifespan.startup.failed", "message": "no clock here"}]
    assert log == ["open threads", "close threads"]


def test_http_passes_by() -> None:
    assert ask(Lifespan(echo, []), scope_of()).status == 200


def test_anything_else_is_an_error() -> None:
    with pytest.raises(ValueError, match="websocket"):
        ask(Lifespan(echo, []), {"type": "websocket"})
