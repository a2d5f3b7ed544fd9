"""The route table: what the ASGI layers must know about a path before Django resolves its URL."""

from dataclasses import dataclass
from enum import Enum, auto

from django.conf import settings


class Handler(Enum):
    """What answers the requests of a route."""

    API = auto()
    """Django without middleware. Its anonymous responses may be stored in the response cache."""
    PAGES = auto()
    """Django with all middleware, which also adds the security headers."""
    STATIC_FILES = auto()
    MEDIA_FILES = auto()


class ThreadGroup(Enum):
    """Requests that spend most of their time on something other than the database. Each group shares one thread."""

    PASSWORDS = auto()
    UPLOADS = auto()


@dataclass(frozen=True, slots=True)
class Route:
    """All paths that start with `prefix`."""

    prefix: str
    handler: Handler
    max_body_bytes: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    """The longest request body that is accepted."""
    thread_group: ThreadGroup | None = None
    """The group whose thread serves unsafe requests."""
    without_credentials: bool = False
    """Whether credentials and query strings are removed, so that every client shares one cache entry."""


_UPLOAD_BYTES = 10 * 1024 * 1024 + 64 * 1024  # a file of 10 MiB and the rest of its form
_OTHER_PAGES = Route("", Handler.PAGES)
_ROUTES = (
    Route("/api/v1/docs", Handler.PAGES),
    Route("/api/v1/auth/", Handler.API, max_body_bytes=64 * 1024, thread_group=ThreadGroup.PASSWORDS),
    Route("/api/v1/media", Handler.API, max_body_bytes=_UPLOAD_BYTES, thread_group=ThreadGroup.UPLOADS),
    Route("/api/", Handler.API),
    Route("/feeds/", Handler.API, without_credentials=True),
    Route("/sitemap", Handler.API, without_credentials=True),
    Route(settings.MEDIA_URL, Handler.MEDIA_FILES),
    Route(settings.STATIC_URL, Handler.STATIC_FILES),
    Route("/admin/login/", Handler.PAGES, thread_group=ThreadGroup.PASSWORDS),
    # Four files fit: the form, and not a 413, tells which of them is too long.
    Route("/admin/posts/media/", Handler.PAGES, max_body_bytes=4 * _UPLOAD_BYTES, thread_group=ThreadGroup.UPLOADS),
)


def find_route(path: str) -> Route:
    """Return the first route whose prefix `path` starts with."""
    for route in _ROUTES:
        if path.startswith(route.prefix):
            return route
    return _OTHER_PAGES
