"""The way of a request: read it from the bottom, where a request comes in, to the top."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "blogsite.settings")
django = get_asgi_application()

# What follows needs Django to be set up.
from django.conf import settings  # noqa: E402
from django.core.files.storage import default_storage  # noqa: E402

from blogsite.db.change_detector import change_detector  # noqa: E402
from blogsite.serving.api_handler import APIHandler  # noqa: E402
from blogsite.serving.asgi import App, Receive, Scope, Send  # noqa: E402
from blogsite.serving.content_version import ContentVersion  # noqa: E402
from blogsite.serving.database_threads import DatabaseThreads  # noqa: E402
from blogsite.serving.edge import Edge  # noqa: E402
from blogsite.serving.lifespan import Lifespan  # noqa: E402
from blogsite.serving.media_files import MediaFiles  # noqa: E402
from blogsite.serving.request_limits import RequestLimits  # noqa: E402
from blogsite.serving.response_cache import ResponseCache  # noqa: E402
from blogsite.serving.static_files import static_files  # noqa: E402
from posts.media import storage as media  # noqa: E402
from posts.models import MEDIA_URL, NEXT_PUBLICATION  # noqa: E402

api = APIHandler()
pages = static_files(django)

FILES = ("/feeds/", "/sitemap")
"""For machines, and the same for everybody: no cookie is read or set, so no middleware is needed either."""


def is_page(path: str) -> bool:
    """Whether Django's own handler answers, with all middleware: the admin site, the API's documentation, redirects."""
    return not path.startswith(("/api/", *FILES, MEDIA_URL, settings.STATIC_URL)) or path == "/api/v1/docs"


async def handlers(scope: Scope, receive: Receive, send: Send) -> None:
    """The API's own handler for the API, feeds and sitemaps; Django's, behind the static files, for all else."""
    is_api = scope["path"].startswith(("/api/", *FILES)) and not is_page(scope["path"])
    await (api if is_api else pages)(scope, receive, send)


def impersonal(app: App) -> App:
    """Let nobody ask for `FILES` with a token or parameters: one entry of the cache answers, whatever a client adds."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(FILES):
            headers = [pair for pair in scope["headers"] if pair[0] != b"authorization"]
            scope = {**scope, "query_string": b"", "headers": headers, "blogsite.headers": dict(headers)}
        await app(scope, receive, send)

    return answer


threads = DatabaseThreads(
    handlers,
    threads=settings.DATABASE_THREADS,
    single_writer=settings.ON_SQLITE,
    timeout=settings.DATABASE_TIMEOUT,
    waiting_paths=[("/api/v1/auth/", "/admin/login/"), ("/api/v1/media", "/admin/posts/media/")],
)
application: App = threads
detector = change_detector(next_change=NEXT_PUBLICATION)
if settings.RESPONSE_CACHE_BYTES:
    application = ResponseCache(application, detector=detector, max_bytes=settings.RESPONSE_CACHE_BYTES)
application = impersonal(application)
application = ContentVersion(application, detector=detector, paths=("/api/", *FILES))
application = MediaFiles(application, prefix=MEDIA_URL, storage=default_storage, find=media.find_file)
application = RequestLimits(application, routes=settings.BODY_LIMITS, timeout=settings.BODY_TIMEOUT)
application = Edge(
    application,
    allowed_hosts=settings.ALLOWED_HOSTS,
    cors_origins=settings.CORS_ALLOWED_ORIGINS,
    hsts_seconds=settings.SECURE_HSTS_SECONDS,
    is_page=is_page,
)
application = Lifespan(application, [threads.lifespan, detector.lifespan])
