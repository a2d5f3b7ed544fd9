"""Django's ASGI handler for the API and the feeds: one thread hop instead of four, and no middleware."""

import asyncio
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix, set_urlconf

from blogsite.errors import Malformed
from blogsite.http import problems
from blogsite.serving.asgi import Receive, Scope, Send, send_problem, send_response
from blogsite.serving.request_limits import SPOOLED_BODY_KEY, SpooledBody

WATCH_AFTER_SECONDS = 0.05


class APIHandler(ASGIHandler):
    """Serves the API, the feeds and the sitemap. Unlike Django's own handler, it does without:

    - middleware. A bearer token needs neither session nor CSRF protection, and the edge layer checks the Host and adds
      the headers. Each of the seven stock middleware classes would cost two thread hops.
    - the signals `request_started` and `request_finished`, which cost two more hops. Their purpose, closing broken
      connections, is fulfilled in the hop of the query (`DatabaseThread`).
    - the hop that logs a 4xx response. `blogsite.http.problems` logs server errors.
    - a copy of the body: it takes the file that `RequestLimits` has written. Without that layer, it reads the body from
      the server.
    - sending a response in parts: responses are in memory, and are sent whole, with their length.

    Like Django's handler, it cancels the view when the client disconnects, and closes what the request opened.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        spooled: SpooledBody | None = scope.get(SPOOLED_BODY_KEY)
        try:
            body = spooled.take() if spooled else await self.read_body(receive)
        except RequestAborted:  # the client disconnected before the end of its body
            return
        with body:
            set_script_prefix(get_script_prefix(scope))
            request, _ = self.create_request(scope, body)
            if request is None:
                return await send_problem(scope, send, Malformed("The URL cannot be decoded."))
            watch = _DisconnectWatch(receive)
            try:
                response = await self.get_response_async(request)
                await self.send_response(response, send)
            except asyncio.CancelledError:
                if not watch.is_disconnected:
                    raise  # the server is shutting down
            finally:
                watch.end()
                request.close()

    async def send_response(self, response: HttpResponseBase, send: Send) -> None:
        headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
        await send_response(send, response.status_code, headers, response.content)  # type: ignore[attr-defined] # never streams

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        set_urlconf(settings.ROOT_URLCONF)
        try:
            return await self._get_response_async(request)  # type: ignore[attr-defined,no-any-return] # private
        except Exception as exc:  # an unknown URL, or an error outside of ninja
            return problems.respond(request, exc)


class _DisconnectWatch:
    """Cancels the current task when its client disconnects.

    It starts watching after `WATCH_AFTER_SECONDS`. Most responses are sent earlier, and need no second task.
    """

    def __init__(self, receive: Receive) -> None:
        self.is_disconnected = False
        self._receive = receive
        self._request_task = asyncio.current_task()
        self._watch_task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_SECONDS, self._begin)

    def end(self) -> None:
        self._timer.cancel()
        if self._watch_task is not None:
            self._watch_task.cancel()

    def _begin(self) -> None:
        self._watch_task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        if (await self._receive())["type"] == "http.disconnect" and self._request_task is not None:
            self.is_disconnected = True
            self._request_task.cancel()
