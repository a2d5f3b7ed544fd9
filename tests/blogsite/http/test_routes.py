"""The route table."""

from dataclasses import fields

import pytest
from django.conf import settings

from blogsite.http.routes import Handler, Route, ThreadGroup, find_route

MIB = 1024 * 1024
DEFAULT = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
ROUTES = [
    ("/", Handler.PAGES, DEFAULT, None, False),
    ("/favicon.ico", Handler.PAGES, DEFAULT, None, False),
    ("/api", Handler.PAGES, DEFAULT, None, False),
    ("/api/v1/posts", Handler.API, DEFAULT, None, False),
    ("/api/v1/openapi.json", Handler.API, DEFAULT, None, False),
    ("/api/v1/docs", Handler.PAGES, DEFAULT, None, False),
    ("/api/v1/auth/login", Handler.API, 64 * 1024, ThreadGroup.PASSWORDS, False),
    ("/api/v1/media", Handler.API, 10 * MIB + 64 * 1024, ThreadGroup.UPLOADS, False),
    ("/api/v1/media/7", Handler.API, 10 * MIB + 64 * 1024, ThreadGroup.UPLOADS, False),
    ("/feeds/rss", Handler.API, DEFAULT, None, True),
    ("/sitemap.xml", Handler.API, DEFAULT, None, True),
    ("/sitemap-2.xml", Handler.API, DEFAULT, None, True),
    ("/media/x.png", Handler.MEDIA_FILES, DEFAULT, None, False),
    ("/static/admin/css/base.css", Handler.STATIC_FILES, DEFAULT, None, False),
    ("/admin/", Handler.PAGES, DEFAULT, None, False),
    ("/admin/login/", Handler.PAGES, DEFAULT, ThreadGroup.PASSWORDS, False),
    ("/admin/posts/media/add/", Handler.PAGES, 4 * (10 * MIB + 64 * 1024), ThreadGroup.UPLOADS, False),
]


@pytest.mark.parametrize(("path", "handler", "max_body_bytes", "thread_group", "without_credentials"), ROUTES)
def test_each_path_has_the_properties_of_its_route(
    path: str, handler: Handler, max_body_bytes: int, thread_group: ThreadGroup | None, without_credentials: bool
) -> None:
    route = find_route(path)
    assert path.startswith(route.prefix)
    assert route == Route(route.prefix, handler, max_body_bytes, thread_group, without_credentials)
    assert len(fields(route)) == 5, "a new property needs a column in the table above"
