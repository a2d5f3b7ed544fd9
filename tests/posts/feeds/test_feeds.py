"""The feeds: RSS, Atom and JSON Feed, of all public posts, of a tag and of an author."""

import html
import json
from calendar import timegm
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import feedparser  # type: ignore[import-untyped]
import httpx
import pytest
import time_machine
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from blogsite.environment import read_environment
from posts import services
from tests.client import access_token
from tests.factories import make_admin, make_author, make_draft, make_editor, make_media, make_post, make_scheduled
from tests.server import Server, manage, serving

TYPES = {
    "rss.xml": "application/rss+xml; charset=utf-8",
    "atom.xml": "application/atom+xml; charset=utf-8",
    "feed.json": "application/feed+json",
}
XML = ["rss.xml", "atom.xml"]
FORBIDDEN = "\x01\x08\x0b\x0c\x1f\ufffe\uffff"
PASSWORD = "quiet-river-lantern"

every_format = pytest.mark.parametrize("name", TYPES)


@dataclass
class Entry:
    """A post in a feed, whatever the format. Times are whole seconds."""

    id: str
    url: str
    title: str
    content: str
    excerpt: str
    author: str
    tags: list[str]
    published: int
    updated: int


@dataclass
class Seen:
    """A feed, as a reader understands it."""

    title: str
    url: str
    home: str
    description: str
    language: str
    entries: list[Entry] = field(default_factory=list)

    @property
    def titles(self) -> list[str]:
        return [entry.title for entry in self.entries]


def read(body: bytes, content_type: str) -> Seen:
    """The feed in an answer, which must be valid."""
    return read_json(body) if "json" in content_type else read_xml(body, content_type)


def read_xml(body: bytes, content_type: str) -> Seen:
    parsed = feedparser.parse(
        body, response_headers={"content-type": content_type}, sanitize_html=False, resolve_relative_uris=False
    )
    assert not parsed.bozo, parsed.bozo_exception
    assert parsed.version == ("rss20" if "rss" in content_type else "atom10")
    links = {link.rel: link.href for link in parsed.feed.links}
    if parsed.version == "atom10":
        assert parsed.feed.id == links["self"]
        assert parsed.feed.updated
    return Seen(
        title=parsed.feed.title,
        url=links["self"],
        home=links["alternate"],
        description=parsed.feed.subtitle,
        language=parsed.feed.language,
        entries=[
            Entry(
                id=entry.id,
                url=entry.link,
                title=entry.title,
                content=entry.content[0].value,
                excerpt=html.unescape(entry.summary),
                author=entry.author,
                tags=[tag.term for tag in entry.get("tags", [])],
                published=timegm(entry.published_parsed),
                updated=timegm(entry.updated_parsed),
            )
            for entry in parsed.entries
        ],
    )


def read_json(body: bytes) -> Seen:
    """By the rules of https://www.jsonfeed.org/version/1.1/: what must be there, and nothing that it does not know."""
    feed = json.loads(body)
    assert set(feed) == {"version", "title", "home_page_url", "feed_url", "description", "language", "items"}
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    for item in feed["items"]:
        texts = {"id", "url", "title", "content_html", "summary", "date_published", "date_modified"}
        assert set(item) == texts | {"authors", "tags"}
        assert all(isinstance(item[name], str) for name in texts)
        assert [set(author) for author in item["authors"]] == [{"name"}]
        assert all(isinstance(tag, str) for tag in item["tags"])
    return Seen(
        title=feed["title"],
        url=feed["feed_url"],
        home=feed["home_page_url"],
        description=feed["description"],
        language=feed["language"],
        entries=[
            Entry(
                id=item["id"],
                url=item["url"],
                title=item["title"],
                content=item["content_html"],
                excerpt=item["summary"],
                author=item["authors"][0]["name"],
                tags=item["tags"],
                published=seconds(datetime.fromisoformat(item["date_published"])),
                updated=seconds(datetime.fromisoformat(item["date_modified"])),
            )
            for item in feed["items"]
        ],
    )


def seconds(moment: datetime | None) -> int:
    assert moment
    assert moment.tzinfo
    return int(moment.timestamp())


def ask(client: Client, name: str, folder: str = "", **headers: str) -> Seen:
    response = client.get(f"/feeds/{folder}{name}", headers=headers)
    assert response.status_code == 200
    assert response["Content-Type"] == TYPES[name]
    return read(response.content, response["Content-Type"])


@every_format
class TestContent:
    def test_a_post_is_there_with_all_that_readers_want(self, client: Client, db: None, name: str) -> None:
        author = make_author(full_name="Ada Lovelace")
        post = make_post(
            title="Q&A <1>",
            content='Some *text* & a [link](https://example.org/?a=1&b=2).\n\n    ]]> "code"',
            excerpt="Short &amp; <sweet>",
            tags=["c++", "a/b"],
            author=author,
        )
        post = services.update_post(actor=author, post_id=post.pk, changes={"slug": "été"})
        (entry,) = ask(client, name).entries
        assert entry == Entry(
            id=f"tag:127.0.0.1,{post.created_at:%Y-%m-%d}:/posts/{post.pk}/",
            url="http://127.0.0.1:8000/posts/%C3%A9t%C3%A9",
            title="Q&A <1>",
            content=post.content_html if "json" in name else post.content_html.strip(),  # feedparser strips
            excerpt="Short &amp; <sweet>",
            author="Ada Lovelace",
            tags=["c++", "a/b"],
            published=seconds(post.published_at),
            updated=seconds(post.updated_at),
        )

    def test_what_was_not_given_is_derived(self, client: Client, db: None, name: str) -> None:
        post = make_post(content="Some *text*.")
        (entry,) = ask(client, name).entries
        assert (entry.excerpt, entry.author, entry.tags) == ("Some text.", post.author.username, [])

    def test_the_feed_says_what_it_is(self, client: Client, db: None, name: str) -> None:
        make_post()
        seen = ask(client, name)
        seen.entries.clear()
        assert seen == Seen(
            title="Blogsite",
            url=f"http://127.0.0.1:8000/feeds/{name}",
            home="http://127.0.0.1:8000/",
            description="The newest posts.",
            language="en",
        )

    def test_a_blog_without_posts_has_an_empty_feed(self, client: Client, db: None, name: str) -> None:
        assert ask(client, name).entries == []

    def test_the_newest_twenty_come_first(self, client: Client, db: None, name: str) -> None:
        author, now = make_author(), timezone.now()
        for age in (3, 1, 2, *range(4, 24)):
            make_post(title=f"{age}", author=author, published_at=now - timedelta(hours=age))
        assert ask(client, name).titles == [f"{age}" for age in range(1, 21)]

    def test_the_id_outlives_a_new_slug(self, client: Client, db: None, name: str) -> None:
        post = make_post(slug="before")
        (before,) = ask(client, name).entries
        services.update_post(actor=post.author, post_id=post.pk, changes={"slug": "after", "title": "After"})
        (after,) = ask(client, name).entries
        assert (before.id, before.url.removesuffix("before")) == (after.id, after.url.removesuffix("after"))

    def test_addresses_follow_the_setting(self, client: Client, db: None, name: str, settings: Settings) -> None:
        settings.BLOG_POST_URL = "https://example.org/?page=post&post={slug}#top"
        make_post(slug="hello")
        (entry,) = ask(client, name).entries
        assert entry.url == "https://example.org/?page=post&post=hello#top"

    def test_what_xml_cannot_write_breaks_no_feed(self, client: Client, db: None, name: str) -> None:
        """The API takes these characters."""
        author = make_author(full_name=f"A{FORBIDDEN}da")
        text, tag = f"a{FORBIDDEN}b\N{PILE OF POO}", "t\x01\ufffeg"
        make_post(title=text, content=text, excerpt=text, tags=[tag], author=author)
        (entry,) = ask(client, name).entries
        if name != "feed.json":
            assert (entry.title, entry.excerpt) == ("ab\N{PILE OF POO}", "ab\N{PILE OF POO}")
            assert (entry.author, entry.tags) == ("Ada", ["tg"])
        assert ask(client, name, f"tags/{quote(tag)}/").entries == [entry]
        assert ask(client, name, f"authors/{author.username}/").entries == [entry]


@every_format
class TestSight:
    def test_only_public_posts_are_there_whoever_asks(self, client: Client, db: None, name: str) -> None:
        author = make_author()
        for make in (make_post, make_draft, make_scheduled):
            make(title=make.__name__, author=author, tags=["news"])
        tokens = [access_token(user) for user in (author, make_editor(), make_admin())]
        client.force_login(make_admin())
        for folder in ("", "tags/news/", f"authors/{author.username}/"):
            assert ask(client, name, folder).titles == ["make_post"]
            for token in tokens:
                assert ask(client, name, folder, Authorization=f"Bearer {token}").titles == ["make_post"]

    def test_a_scheduled_post_appears_when_its_time_comes(self, client: Client, db: None, name: str) -> None:
        moment = datetime(2030, 1, 1, 12, tzinfo=UTC)
        with time_machine.travel(moment - timedelta(hours=1), tick=False) as clock:
            make_scheduled(published_at=moment)
            clock.move_to(moment - timedelta(microseconds=1))
            assert ask(client, name).entries == []
            clock.move_to(moment)
            (entry,) = ask(client, name).entries
        assert (entry.published, entry.updated) == (seconds(moment), seconds(moment))


@every_format
class TestTags:
    @pytest.mark.parametrize("tag", ["news", "a/b", "c++", "two words", "été", "100%", "%2f", "?", "#1", "a/rss.xml"])
    def test_any_tag_has_a_feed(self, client: Client, db: None, name: str, tag: str) -> None:
        make_post(title="Tagged", tags=["other", tag])
        make_post(tags=["other"])
        seen = ask(client, name, f"tags/{quote(tag, safe='')}/")
        assert (seen.titles, seen.title) == (["Tagged"], f"Blogsite: {tag}")
        path = seen.url.removeprefix("http://127.0.0.1:8000/feeds/").removesuffix(name)
        assert ask(client, name, path) == seen

    def test_it_is_found_in_any_case_of_letters(self, client: Client, db: None, name: str) -> None:
        make_post(tags=["news"])
        assert ask(client, name, "tags/News/") == ask(client, name, "tags/news/")

    @pytest.mark.parametrize("tag", ["unknown", "secret", "t" * 51, "a%00", "%20", "%0A", ""])
    def test_one_without_public_posts_is_not_there(self, client: Client, db: None, name: str, tag: str) -> None:
        make_draft(tags=["secret"])
        make_scheduled(tags=["secret"])
        assert client.get(f"/feeds/tags/{tag}/{name}").status_code == 404


@every_format
class TestAuthors:
    def test_an_author_has_a_feed(self, client: Client, db: None, name: str) -> None:
        make_post(title="Ada's", author=make_author(username="ada.l", full_name="Ada Lovelace"))
        make_post()
        seen = ask(client, name, "authors/ada.l/")
        assert (seen.titles, seen.title) == (["Ada's"], "Blogsite: Ada Lovelace")
        assert seen.url == f"http://127.0.0.1:8000/feeds/authors/ada.l/{name}"
        assert ask(client, name, "authors/ADA.L/").titles == ["Ada's"]

    @pytest.mark.parametrize("username", ["nobody", "drafter", "a%00b", "a", "a/b"])
    def test_one_without_public_posts_is_not_there(self, client: Client, db: None, name: str, username: str) -> None:
        author = make_author(username="drafter")
        make_draft(author=author)
        make_scheduled(author=author)
        assert client.get(f"/feeds/authors/{username}/{name}").status_code == 404


@every_format
class TestHTTP:
    def test_caches_may_keep_the_answer_and_ask_for_a_newer_one(
        self, client: Client, db: None, name: str, settings: Settings
    ) -> None:
        settings.PUBLIC_MAX_AGE = 60
        post = make_post()
        first = client.get(f"/feeds/{name}")
        assert first["Cache-Control"] == "public, max-age=60, must-revalidate"
        assert first["ETag"][0] == first["ETag"][-1] == '"'
        assert first["Vary"] == "Accept-Encoding"
        assert "Last-Modified" not in first
        known = {"If-None-Match": first["ETag"]}
        for method in (client.get, client.head):
            again = method(f"/feeds/{name}", headers=known)
            assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
            assert again["Cache-Control"] == first["Cache-Control"]
        services.update_post(actor=post.author, post_id=post.pk, changes={"title": "New"})
        assert client.get(f"/feeds/{name}", headers=known).status_code == 200

    def test_head_has_the_headers_of_get(self, client: Client, db: None, name: str) -> None:
        make_post()
        got, head = client.get(f"/feeds/{name}"), client.head(f"/feeds/{name}")
        assert (head.status_code, head.content, head.headers) == (200, b"", got.headers)

    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
    def test_other_methods_are_refused(self, client: Client, db: None, name: str, method: str) -> None:
        response = client.generic(method.upper(), f"/feeds/{name}")
        assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")

    def test_unknown_parameters_change_nothing(self, client: Client, db: None, name: str) -> None:
        make_post()
        assert client.get(f"/feeds/{name}?x=1&page=2").content == client.get(f"/feeds/{name}").content

    @pytest.mark.parametrize("posts", [1, 20])
    @pytest.mark.parametrize("folder", ["", "tags/news/", "authors/ada/"])
    def test_it_takes_one_query(
        self,
        client: Client,
        db: None,
        name: str,
        folder: str,
        posts: int,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        authors = [make_author(username="ada"), make_author()]
        for number in range(posts):
            make_post(author=authors[0], tags=["news", f"t{number}"])
        make_post(author=authors[1])
        with django_assert_num_queries(1):
            client.get(f"/feeds/{folder}{name}")


@pytest.mark.parametrize("path", ["", "rss", "feed.xml", "rss.xml/", "rssAxml", "tags/rss.xml", "posts/a/rss.xml"])
def test_there_is_nothing_else(client: Client, db: None, path: str) -> None:
    make_post(tags=["a"])
    assert client.get(f"/feeds/{path}").status_code == 404


@pytest.mark.parametrize(
    "url",
    ["example.org/{slug}", "https://example.org/", "https://{slug}.example.org/", "https://example.org/{id}/{slug}"],
)
def test_an_address_that_leads_to_no_post_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("BLOG_POST_URL", url)
    with pytest.raises(ImproperlyConfigured, match="Bad setting BLOG_POST_URL: "):
        read_environment()


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


@pytest.mark.slow
class TestServed:
    """By a real server, through its response cache."""

    @pytest.mark.parametrize("path", PATHS)
    def test_it_is_answered_from_memory_until_a_post_is_published(
        self, server: Server, token: str, write: Any, path: str
    ) -> None:
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
    def test_no_cookie_is_read_or_set(self, server: Server, token: str, write: Any, path: str) -> None:
        """Django's middleware would answer a spoiled one with another."""
        for cookie in ("csrftoken=spoiled; sessionid=x", "sessionid=" + "a" * 32):
            write()
            for authorization in ({}, {"Authorization": token}):
                answer = httpx.get(server.url + path, headers={"Cookie": cookie, **authorization})
                assert answer.status_code == 200
                assert "Set-Cookie" not in answer.headers
                assert answer.headers["Vary"] == "Accept-Encoding"
                assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"

    def test_titles_and_links_come_from_the_settings(self, server: Server) -> None:
        for name, content_type in TYPES.items():
            seen = read(httpx.get(f"{server.url}/feeds/{name}").content, content_type)
            assert (seen.title, seen.home) == ("A & B", "https://example.org/")

    def test_what_is_not_there_is_not_stored(self, server: Server) -> None:
        for path in ("/feeds/tags/unknown/rss.xml", "/feeds/unknown", "/sitemap-2.xml", "/sitemap"):
            answers = [httpx.get(server.url + path) for _ in range(2)]
            assert [(answer.status_code, answer.headers["X-Cache"]) for answer in answers] == [(404, "miss")] * 2

    def test_a_scheduled_post_appears_on_time(self, server: Server, write: Any) -> None:
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


class TestImages:
    @pytest.mark.parametrize("name", XML)
    def test_a_cover_image_is_an_enclosure(self, client: Client, db: None, name: str) -> None:
        media = make_media()
        make_post(cover_image_id=media.pk, author=media.author)
        parsed = feedparser.parse(client.get(f"/feeds/{name}").content)
        assert not parsed.bozo
        (enclosure,) = parsed.entries[0].enclosures
        assert enclosure.href == f"{settings.BLOG_URL}{media.url}"
        assert (enclosure.type, enclosure.length) == (media.content_type, str(media.bytes))

    def test_json_feed_names_it(self, client: Client, db: None) -> None:
        media = make_media()
        make_post(cover_image_id=media.pk, author=media.author)
        make_post(published_at=timezone.now() - timedelta(days=1))
        covered, bare = client.get("/feeds/feed.json").json()["items"]
        assert covered["image"] == f"{settings.BLOG_URL}{media.url}"
        assert "image" not in bare

    @every_format
    def test_images_of_the_text_are_found_from_anywhere(self, client: Client, db: None, name: str) -> None:
        text = '![x](/media/x.png) ![y](https://example.org/media/y.png) [z](/media/z.png) `<img src="/media/c.png">`'
        make_post(content=text)
        response = client.get(f"/feeds/{name}")
        (entry,) = read(response.content, response["Content-Type"]).entries
        assert f'src="{settings.BLOG_URL}/media/x.png"' in entry.content
        assert 'src="https://example.org/media/y.png"' in entry.content
        assert f'href="{settings.BLOG_URL}/media/z.png"' in entry.content
        assert '"/media/c.png"' in entry.content  # is shown, and leads nowhere
