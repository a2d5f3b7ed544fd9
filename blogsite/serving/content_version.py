"""The layer that records which content version a request began with."""

from collections.abc import Awaitable

from blogsite.db.change_detector import ChangeDetector
from blogsite.http.routes import Handler
from blogsite.serving.asgi import App, Message, Receive, Scope, Send, route_of
from blogsite.serving.database_threads import SAFE_METHODS

CONTENT_VERSION_KEY = "content_version"


class ContentVersion:
    """Stores the content version in the scope of each request to the API's handler, before any inner layer runs.

    Everything that the request then reads from the database is at least as new. A response may therefore be stored
    under that version and reused for requests that begin with the same version.

    After an unsafe method, the layer marks the database as changed before the client receives any of the response.
    """

    def __init__(self, app: App, *, detector: ChangeDetector) -> None:
        self.app = app
        self.detector = detector

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if route_of(scope).handler is Handler.API:
            scope[CONTENT_VERSION_KEY] = self.detector.version()
        return (self.app if scope["method"] in SAFE_METHODS else self._write)(scope, receive, send)

    async def _write(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def mark_and_send(message: Message) -> None:
            self.detector.mark_changed()
            await send(message)

        try:
            await self.app(scope, receive, mark_and_send)
        finally:
            self.detector.mark_changed()
