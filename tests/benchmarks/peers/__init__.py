"""The servers that are measured: Blogsite, and the same API written with other frameworks, one module for each."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from blogsite.environment import Environment


@dataclass(frozen=True)
class Peer:
    """A server: the command that starts it (`{port}` stands for the port), its settings and packages, and its name.

    `logs_in` tells whether it issues access tokens itself, through `POST /auth/login`.
    """

    key: str
    name: str
    command: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    logs_in: bool = False


def _on_django(module: str, **settings: str) -> dict[str, str]:
    return {"DJANGO_SETTINGS_MODULE": f"{__name__}.stock_settings", "PEER_URLCONF": f"{__name__}.{module}", **settings}


_MANAGE = (sys.executable, "manage.py")
_SERVE = (*_MANAGE, "serve", "--no-migrate", "--port", "{port}")
_UVICORN = (
    *(sys.executable, "-m", "uvicorn", "--port", "{port}", "--loop", "uvloop", "--http", "httptools"),
    *("--no-access-log", "--log-level", "warning", "--lifespan", "off"),
)
_GUNICORN = (sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--log-level", "warning")

# An older version of Blogsite without a response cache refuses this setting as unknown.
_UNCACHED = {"BLOG_RESPONSE_CACHE_BYTES": "0"} if "blog_response_cache_bytes" in Environment.model_fields else {}

BLOGSITE = Peer("a", "Blogsite", _SERVE, logs_in=True)
UNCACHED = Peer("b", "Blogsite, cache off", _SERVE, _UNCACHED, logs_in=True)
FASTAPI = Peer(
    "c",
    "FastAPI + SQLAlchemy",
    (*_UVICORN, f"{__name__}.fastapi_sqlalchemy:app"),
    packages=("fastapi", "sqlalchemy", "aiosqlite", "greenlet"),
)
REST_FRAMEWORK = Peer(
    "d",
    "Django REST Framework",
    (*_GUNICORN, "--workers", "1", "--threads", "4", "django.core.wsgi:get_wsgi_application()"),
    _on_django("drf", PEER_APP="rest_framework", PEER_CONN_MAX_AGE="600"),
    packages=("rest_framework", "gunicorn"),
)
STOCK_NINJA = Peer(
    "e",
    "django-ninja, stock",
    (*_UVICORN, "--factory", "django.core.asgi:get_asgi_application"),
    _on_django("stock_ninja"),
)
BOLT = Peer(
    "f",
    "django-bolt",
    (*_MANAGE, "runbolt", "--host", "127.0.0.1", "--port", "{port}", "--no-admin"),
    _on_django("stock_ninja", PEER_APP="django_bolt"),
    packages=("django_bolt",),
)
BARE = Peer("g", "bare uvicorn", (*_UVICORN, f"{__name__}.bare:app"))

PEERS = {peer.key: peer for peer in (BLOGSITE, UNCACHED, FASTAPI, REST_FRAMEWORK, STOCK_NINJA, BOLT, BARE)}
BASELINE = FASTAPI
QUICK = (BLOGSITE, UNCACHED, FASTAPI, BARE)
