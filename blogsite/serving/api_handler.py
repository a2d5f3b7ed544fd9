"""Django's ASGI handler, for what machines read: one hop to the database thread instead of four, and no middleware."""

import asyncio
from io import BytesIO
from tempfile import TemporaryFile
from typing import IO, Any

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix, set_urlconf

from blogsite.errors import Malformed, StorageFull
from blogsite.http import problems
from blogsite.serving.asgi import Receive, Scope, Send, answer, refuse

WATCH_AFTER_SECONDS = 0.05


class APIHandler(ASGIHandler):
    """Serves the API, the feeds and the sitemap. It differs from the stock handler in what it leaves out:

    - the middleware. A bearer token needs neither session nor CSRF, and Host and headers are the edge's. Each of the
      seven stock middleware would cost two hops to a thread.
    - `request_started` and `request_finished`, two hops more. What they are for, closing broken connections, happens
      in the hop of the query (`DatabaseThread`).
    - the hop that logs a 4xx. A client's mistake is answered; `blogsite.http.problems` logs ours.
    - the temporary file of a short body: `RequestLimits` gives it whole.
    - the parts of an answer: it is in memory too, and goes out whole, with its length.

    Like the stock handler it cancels the view when the client hangs up, and closes what the request opened.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self.read_body(receive)
        except OSError:  # it was whole before: there is no space for a copy
            return await refuse(scope, send, StorageFull())
        set_script_prefix(get_script_prefix(scope))
        request, _ = self.create_request(scope, body)
        if request is None:
            return await refuse(scope, send, Malformed("The address cannot be read."))
        watch = _DisconnectWatch(receive)
        try:
            response = await self.get_response_async(request)
            await self.send_response(response, send)
        except asyncio.CancelledError:
            if not watch.client_is_gone:
                raise  # the server is shutting down
        finally:
            watch.end()
            request.close()
            body.close()

    async def read_body(self, receive: Receive) -> IO[bytes]:
        message = await receive()
        body: IO[bytes] = TemporaryFile() if message.get("more_body") else BytesIO()  # noqa: SIM115
        body.write(message.get("body", b""))
        while message.get("more_body"):
            message = await receive()
            body.write(message["body"])
        body.seek(0)
        return body

    async def send_response(self, response: HttpResponseBase, send: Send) -> None:
        headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
        await answer(send, response.status_code, headers, response.content)  # type: ignore[attr-defined]

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        set_urlconf(settings.ROOT_URLCONF)
        try:
            response: HttpResponseBase = await self._get_response_async(request)  # type: ignore[attr-defined]
            return response
        except Exception as exc:  # an unknown route, or a mistake of ours outside of ninja
            return problems.respond(request, exc)


class _DisconnectWatch:
    """Cancels the current task when its client hangs up.

    It begins to watch after `WATCH_AFTER_SECONDS`: most answers are given before, without a task more each.
    """

    def __init__(self, receive: Receive) -> None:
        self.client_is_gone = False
        self._receive = receive
        self._answering = asyncio.current_task()
        self._watching: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_SECONDS, self._begin)

    def end(self) -> None:
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()

    def _begin(self) -> None:
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        if (await self._receive())["type"] == "http.disconnect" and self._answering is not None:
            self.client_is_gone = True
            self._answering.cancel()
