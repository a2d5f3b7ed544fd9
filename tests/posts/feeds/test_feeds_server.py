"""The feeds and the sitemap on a real server, which answers through its response cache."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.posts.feeds.feed_reader import CONTENT_TYPES, read
from tests.server import PASSWORD, Server, manage, serving

pytestmark = pytest.mark.slow
PATHS = ["/feeds/rss.xml", "/feeds/atom.xml", "/feeds/feed.json", "/feeds/tags/a%2Fb/rss.xml", "/sitemap.xml"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("feeds")
    assert manage(folder, "migrate", "-v0").returncode == 0
    assert manage(folder, "seed", "--password", PASSWORD).returncode == 0
    with serving(folder, "--no-migrate", BLOG_POST_URL="https://example.org/{slug}", BLOG_TITLE="A & B") as running:
        yield running


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    credentials = {"username": "author", "password": PASSWORD}
    answer = httpx.post(f"{server.url}/api/v1/auth/login", json=credentials).json()
    return f"Bearer {answer['access_token']}"


@pytest.fixture
def write(server: Server, token: str) -> Any:
    def write(**fields: Any) -> None:
        body = {"title": "Hello", "content": "", "tags": ["a/b"], "published": True, **fields}
        httpx.post(f"{server.url}/api/v1/posts", json=body, headers={"Authorization": token}).raise_for_status()

    return write


@pytest.mark.parametrize("path", PATHS)
def test_responses_are_cached_until_a_post_is_published(server: Server, token: str, write: Any, path: str) -> None:
    with httpx.Client(base_url=server.url) as client:
        for _ in range(2):
            write()
            first, again, head = client.get(path), client.get(path), client.head(path)
            others = [again, head, client.get(f"{path}?x=1"), client.get(path, headers={"Authorization": token})]
            assert (first.status_code, first.headers["X-Cache"]) == (200, "miss")
            assert {other.headers["X-Cache"] for other in others} == {"hit"}
            assert [other.content for other in others] == [first.content, b"", first.content, first.content]
            known = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
            assert (known.status_code, known.headers["X-Cache"]) == (304, "hit")
    assert b"https://example.org/hello" in first.content


@pytest.mark.parametrize("path", PATHS)
def test_cookies_are_neither_read_nor_set(server: Server, token: str, write: Any, path: str) -> None:
    """Django's middleware would replace an invalid cookie."""
    for cookie in ("csrftoken=spoiled; sessionid=x", "sessionid=" + "a" * 32):
        write()
        for authorization in ({}, {"Authorization": token}):
            answer = httpx.get(server.url + path, headers={"Cookie": cookie, **authorization})
            assert answer.status_code == 200
            assert "Set-Cookie" not in answer.headers
            assert answer.headers["Vary"] == "Accept-Encoding"
            assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_titles_and_links_are_made_from_the_settings(server: Server) -> None:
    for name, content_type in CONTENT_TYPES.items():
        parsed = read(httpx.get(f"{server.url}/feeds/{name}").content, content_type)
        assert (parsed.title, parsed.home) == ("A & B", "https://example.org/")


def test_404_responses_are_not_cached(server: Server) -> None:
    for path in ("/feeds/tags/unknown/rss.xml", "/feeds/unknown", "/sitemap-2.xml", "/sitemap"):
        answers = [httpx.get(server.url + path) for _ in range(2)]
        assert [(answer.status_code, answer.headers["X-Cache"]) for answer in answers] == [(404, "miss")] * 2


def test_a_scheduled_post_appears_on_time(server: Server, write: Any) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=2)
    write(title="On time", tags=["timed"], published_at=moment.isoformat())
    early = 0
    with httpx.Client(base_url=server.url) as client:
        while datetime.now(UTC) < moment:
            answers = [client.get("/feeds/rss.xml"), client.get("/sitemap.xml")]
            if datetime.now(UTC) < moment:
                assert not any(b"on-time" in answer.content for answer in answers)
                early += 1
        for _ in range(2):
            assert b"on-time" in client.get("/feeds/rss.xml").content
            assert b"on-time" in client.get("/sitemap.xml").content
    assert early > 10
