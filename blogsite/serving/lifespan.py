"""The server's start and end: https://asgi.readthedocs.io/en/stable/specs/lifespan.html."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from blogsite.serving.asgi import App, Receive, Scope, Send

Resource = Callable[[], AbstractAsyncContextManager[object]]


class Lifespan:
    """Opens `resources` before the first request, and closes them, in reverse, after the last.

    Only HTTP requests pass on: the layers within need not ask. Django's own handler knows no `lifespan` scope. An error
    at the start ends the server, with its message.
    """

    def __init__(self, app: App, resources: Sequence[Resource]) -> None:
        self.app = app
        self.resources = resources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            return await self.app(scope, receive, send)
        if scope["type"] != "lifespan":
            raise ValueError(f"Only HTTP is served here, and not {scope['type']}.")
        async with AsyncExitStack() as opened:
            await receive()
            try:
                for resource in self.resources:
                    await opened.enter_async_context(resource())
            except Exception as error:
                await send({"type": "lifespan.startup.failed", "message": f"{error}"})
                raise
            await send({"type": "lifespan.startup.complete"})
            try:
                await receive()
            except asyncio.CancelledError:
                return  # a server that is told twice to stop does not wait for us
        await send({"type": "lifespan.shutdown.complete"})
