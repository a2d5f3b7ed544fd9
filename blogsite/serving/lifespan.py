"""The server's start and shutdown: https://asgi.readthedocs.io/en/stable/specs/lifespan.html."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from blogsite.serving.asgi import App, Receive, Scope, Send

Resource = Callable[[], AbstractAsyncContextManager[object]]


class Lifespan:
    """Opens `resources` before the first request, and closes them in reverse order after the last one.

    Passes on only HTTP requests, so that inner layers need not check the type of a scope. (Django's own handler raises
    an exception on a `lifespan` scope.) If a resource cannot be opened, the server ends with the error's message.
    """

    def __init__(self, app: App, resources: Sequence[Resource]) -> None:
        self.app = app
        self.resources = resources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            return await self.app(scope, receive, send)
        if scope["type"] != "lifespan":
            raise ValueError(f"Only HTTP is supported, not {scope['type']}.")
        async with AsyncExitStack() as stack:
            await receive()
            try:
                for resource in self.resources:
                    await stack.enter_async_context(resource())
            except Exception as error:
                await send({"type": "lifespan.startup.failed", "message": f"{error}"})
                raise
            await send({"type": "lifespan.startup.complete"})
            try:
                await receive()
            except asyncio.CancelledError:
                return  # a server that is told twice to stop does not wait for the shutdown message
        await send({"type": "lifespan.shutdown.complete"})
