"""The layer that notes which version of the database's content a request began with."""

from collections.abc import Awaitable

from blogsite.db.change_detector import ChangeDetector
from blogsite.serving.asgi import App, Message, Receive, Scope, Send
from blogsite.serving.database_threads import SAFE_METHODS

VERSION = "content_version"


class ContentVersion:
    """Stores the detector's version in the scope of each request below `paths`, before any later layer runs.

    Everything that the request then reads from the database is at least as new. A response may therefore be stored
    under that version and reused for requests that begin with the same version.
    """

    def __init__(self, app: App, *, detector: ChangeDetector, paths: tuple[str, ...]) -> None:
        self.app = app
        self.detector = detector
        self.paths = paths

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["path"].startswith(self.paths):
            scope[VERSION] = self.detector.version()
        return (self.app if scope["method"] in SAFE_METHODS else self._write)(scope, receive, send)

    async def _write(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_marked(message: Message) -> None:
            self.detector.mark_changed()
            await send(message)

        try:
            await self.app(scope, receive, send_marked)
        finally:
            self.detector.mark_changed()
