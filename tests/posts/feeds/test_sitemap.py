"""The sitemap, `GET /sitemap.xml`."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from posts import services
from posts.feeds import sitemap
from tests.client import access_token
from tests.factories import make_admin, make_author, make_draft, make_post, make_scheduled

NAMESPACE = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
W3C_DATE = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?)?)?")
HOME = "http://127.0.0.1:8000"


def get_sitemap(
    client: Client, path: str = "/sitemap.xml", root: str = "urlset", **headers: str
) -> dict[str, str | None]:
    """Return the URLs in a sitemap or in an index of sitemaps, with the time of the last change of each.

    The response must follow https://www.sitemaps.org/schemas/sitemap/0.9/sitemap.xsd, siteindex.xsd and of
    https://www.sitemaps.org/protocol.html.
    """
    response = client.get(path, headers=headers)
    assert (response.status_code, response["Content-Type"]) == (200, "application/xml")
    assert len(response.content) <= 50 * 1024 * 1024
    root_element = ElementTree.fromstring(response.content)  # noqa: S314 - our own response
    assert root_element.tag == NAMESPACE + root
    assert len(root_element) <= 50_000
    found = {}
    for entry in root_element:
        assert entry.tag == NAMESPACE + {"urlset": "url", "sitemapindex": "sitemap"}[root]
        values = {child.tag.removeprefix(NAMESPACE): child.text for child in entry}
        assert len(values) == len(entry)
        assert {"loc"} <= set(values) <= {"loc", "lastmod"}
        location, changed = values["loc"], values.get("lastmod")
        assert location
        assert 12 <= len(location) <= 2048
        assert location.isascii()
        assert urlsplit(location).scheme in ("http", "https")
        assert urlsplit(location).netloc
        assert changed is None or W3C_DATE.fullmatch(changed)
        found[location] = changed
    assert len(found) == len(root_element)
    assert len({urlsplit(location).netloc for location in found}) <= 1
    return found


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sitemap, "PAGE_SIZE", 2)


def test_the_sitemap_has_the_public_posts_for_every_user(client: Client, db: None) -> None:
    author = make_author()
    for make in (make_post, make_draft, make_scheduled):
        make(slug=make.__name__, author=author)
    client.force_login(make_admin())
    assert list(get_sitemap(client)) == [f"{HOME}/posts/make_post"]
    assert list(get_sitemap(client, Authorization=f"Bearer {access_token(author)}")) == [f"{HOME}/posts/make_post"]


def test_lastmod_is_the_last_change_that_readers_saw(client: Client, db: None) -> None:
    with time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False) as clock:
        post = make_post(slug="été")
        make_scheduled(slug="later", published_at=datetime(2026, 2, 2, 12, tzinfo=UTC))
        assert get_sitemap(client) == {f"{HOME}/posts/%C3%A9t%C3%A9": "2026-01-31T12:00:00+00:00"}
        clock.shift(timedelta(days=1))
        services.update_post(actor=post.author, post_id=post.pk, changes={"slug": "summer"})
        assert get_sitemap(client) == {f"{HOME}/posts/summer": "2026-02-01T12:00:00+00:00"}
        clock.shift(timedelta(days=1))
        assert list(get_sitemap(client).values()) == ["2026-02-01T12:00:00+00:00", "2026-02-02T12:00:00+00:00"]


def test_urls_are_made_from_the_setting(client: Client, db: None, settings: Settings) -> None:
    settings.BLOG_POST_URL = "https://example.org/?a='1'&post={slug}#top"
    make_post(slug="hello")
    assert list(get_sitemap(client)) == ["https://example.org/?a='1'&post=hello#top"]


def test_without_posts_the_sitemap_is_empty(client: Client, db: None) -> None:
    assert get_sitemap(client) == {}


def test_many_posts_are_paginated_with_an_index(client: Client, db: None, small_pages: None) -> None:
    slugs = [make_post(author=make_author()).slug for _ in range(2)]
    assert len(get_sitemap(client)) == 2
    slugs += [make_post(author=make_author()).slug for _ in range(3)]
    index = get_sitemap(client, root="sitemapindex")
    assert list(index) == [f"{HOME}/sitemap-{number}.xml" for number in (1, 2, 3)]
    pages = [list(get_sitemap(client, page.removeprefix(HOME))) for page in index]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [address.removeprefix(f"{HOME}/posts/") for page in pages for address in page] == slugs


def test_a_page_has_at_most_5000_posts() -> None:
    assert sitemap.PAGE_SIZE == 5000


@pytest.mark.parametrize("page", ["3", "0", "-1", "01", "٢", "a", "", "2%0A", "9" * 5000])
def test_other_pages_are_404(client: Client, db: None, small_pages: None, page: str) -> None:
    for _ in range(3):
        make_post()
    assert len(get_sitemap(client, "/sitemap-2.xml")) == 1
    assert client.get(f"/sitemap-{page}.xml").status_code == 404


def test_unknown_parameters_are_ignored(client: Client, db: None, small_pages: None) -> None:
    for _ in range(3):
        make_post()
    assert client.get("/sitemap.xml?p=2").content == client.get("/sitemap.xml").content


@pytest.mark.parametrize("path", ["/sitemap.xml", "/sitemap-1.xml"])
def test_the_number_of_queries_does_not_grow_with_the_posts(client: Client, db: None, path: str) -> None:
    counts = []
    for _ in range(2):
        make_post()
        with CaptureQueriesContext(connection) as queries:
            get_sitemap(client, path)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 3


def test_responses_are_cacheable_and_revalidated(client: Client, db: None) -> None:
    make_post()
    first, head = client.get("/sitemap.xml"), client.head("/sitemap.xml")
    assert first["Cache-Control"] == "public, max-age=0, must-revalidate"
    assert first["Vary"] == "Accept-Encoding"
    assert (head.status_code, head.content, head.headers) == (200, b"", first.headers)
    for method in (client.get, client.head):
        again = method("/sitemap.xml", headers={"If-None-Match": first["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert client.post("/sitemap.xml").status_code == 405
