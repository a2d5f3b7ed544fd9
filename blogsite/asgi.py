"""The ASGI application. A request passes through its layers from the bottom of this file to the top."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "blogsite.settings")
django = get_asgi_application()

# The following imports need Django to be set up.
from django.conf import settings  # noqa: E402
from django.core.files.storage import default_storage  # noqa: E402

from blogsite.db.change_detector import change_detector  # noqa: E402
from blogsite.http.routes import Handler  # noqa: E402
from blogsite.serving.api_handler import APIHandler  # noqa: E402
from blogsite.serving.asgi import HEADERS_KEY, App, Receive, Scope, Send, route_of  # noqa: E402
from blogsite.serving.content_version import ContentVersion  # noqa: E402
from blogsite.serving.database_threads import DatabaseThreads  # noqa: E402
from blogsite.serving.edge import Edge  # noqa: E402
from blogsite.serving.lifespan import Lifespan  # noqa: E402
from blogsite.serving.media_files import MediaFiles  # noqa: E402
from blogsite.serving.request_limits import RequestLimits  # noqa: E402
from blogsite.serving.response_cache import ResponseCache  # noqa: E402
from blogsite.serving.static_files import static_files  # noqa: E402
from posts.media import storage as media  # noqa: E402
from posts.queries import NEXT_PUBLICATION  # noqa: E402

api = APIHandler()
pages = static_files(django)


async def handlers(scope: Scope, receive: Receive, send: Send) -> None:
    """Call the API's handler or Django's stock handler, which is behind the static files."""
    await (api if route_of(scope).handler is Handler.API else pages)(scope, receive, send)


def without_credentials(app: App) -> App:
    """Remove credentials and the query string where the route says so, so that every client shares one cache entry."""

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        if route_of(scope).without_credentials:
            headers = [pair for pair in scope["headers"] if pair[0] != b"authorization"]
            scope = {**scope, "query_string": b"", "headers": headers, HEADERS_KEY: dict(headers)}
        await app(scope, receive, send)

    return layer


threads = DatabaseThreads(
    handlers,
    threads=settings.DATABASE_THREADS,
    single_writer=settings.ON_SQLITE,
    timeout=settings.DATABASE_TIMEOUT,
)
application: App = threads
detector = change_detector(next_change=NEXT_PUBLICATION)
if settings.RESPONSE_CACHE_BYTES:
    application = ResponseCache(application, detector=detector, max_bytes=settings.RESPONSE_CACHE_BYTES)
application = without_credentials(application)
application = ContentVersion(application, detector=detector)
application = MediaFiles(application, storage=default_storage, find=media.find_file)
application = RequestLimits(application, timeout=settings.BODY_TIMEOUT)
application = Edge(
    application,
    allowed_hosts=settings.ALLOWED_HOSTS,
    cors_origins=settings.CORS_ALLOWED_ORIGINS,
    hsts_seconds=settings.SECURE_HSTS_SECONDS,
)
application = Lifespan(application, [threads.lifespan, detector.lifespan])
