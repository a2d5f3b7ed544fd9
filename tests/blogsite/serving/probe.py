"""The application with one more URL, which returns the SQLite settings of the server's own connections."""

from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.urls import path

from blogsite.asgi import application as application

PRAGMAS = (
    "journal_mode",
    "synchronous",
    "temp_store",
    "foreign_keys",
    "busy_timeout",
    "journal_size_limit",
    "mmap_size",
)


def sqlite_settings(request: HttpRequest) -> JsonResponse:
    with connection.cursor() as cursor:
        pragmas = {name: (cursor.execute(f"PRAGMA {name}").fetchone() or [None])[0] for name in PRAGMAS}
        version = cursor.execute("SELECT sqlite_version()").fetchone()[0]
    return JsonResponse({**pragmas, "version": version})


from blogsite import urls  # noqa: E402 - after the application has set up Django

urls.urlpatterns.append(path("probe", sqlite_settings))
