"""A real server on PostgreSQL."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from django.db import connection

from tests.images import image_bytes
from tests.server import PASSWORD, Server, manage, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="set DATABASE_URL to a PostgreSQL server"),
]
DATABASE = f"blogsite_server_{os.getpid()}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    import psycopg

    url = urlsplit(os.environ["DATABASE_URL"])._replace(scheme="postgresql")
    settings = {
        "DATABASE_URL": url._replace(path=f"/{DATABASE}").geturl(),
        "SECRET_KEY": "a key of this test, and of nothing else",
        "BLOG_TOKEN_KEYS": "another key of this test and of nothing else",
    }
    with psycopg.connect(url.geturl(), autocommit=True) as administration:
        administration.execute(f"CREATE DATABASE {DATABASE}")
        try:
            assert manage(tmp_path, "seed", "--password", PASSWORD, **settings).returncode == 0
            with serving(tmp_path, **settings) as running:
                yield running
        finally:
            administration.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


def test_there_is_a_connection_for_every_thread_and_for_the_cache(server: Server) -> None:
    """Logins, uploads and reads each keep a connection, and the query of a response's expiry needs one more."""
    with server.log_in() as client, ThreadPoolExecutor(8) as threads:
        assert client.post("/media", files={"file": ("x.png", image_bytes())}).status_code == 201
        for _ in range(3):
            reads = list(threads.map(client.get, ["/posts?status=all"] * 8))
            assert [read.status_code for read in reads] == [200] * 8
        assert client.post("/posts", json={"title": "New", "content": "", "published": True}).status_code == 201
        responses = [httpx.get(f"{server.url}/api/v1/posts") for _ in range(3)]
        assert [response.status_code for response in responses] == [200] * 3
        assert responses[-1].headers["x-cache"] == "hit"
