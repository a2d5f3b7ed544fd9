"""The feeds: RSS, Atom and JSON Feed, of all public posts, of a tag and of an author."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import feedparser  # type: ignore[import-untyped]
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
from tests.posts.feeds.feed_reader import CONTENT_TYPES, Entry, ParsedFeed, get_feed, read, seconds

INVALID_IN_XML = "\x01\x08\x0b\x0c\x1f\ufffe\uffff"

every_format = pytest.mark.parametrize("name", CONTENT_TYPES)


@every_format
class TestContent:
    def test_an_entry_has_all_fields_of_the_post(self, client: Client, db: None, name: str) -> None:
        author = make_author(full_name="Ada Lovelace")
        post = make_post(
            title="Q&A <1>",
            content='Some *text* & a [link](https://example.org/?a=1&b=2).\n\n    ]]> "code"',
            excerpt="Short &amp; <sweet>",
            tags=["c++", "a/b"],
            author=author,
        )
        post = services.update_post(actor=author, post_id=post.pk, changes={"slug": "été"})
        (entry,) = get_feed(client, name).entries
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

    def test_missing_fields_are_derived(self, client: Client, db: None, name: str) -> None:
        post = make_post(content="Some *text*.")
        (entry,) = get_feed(client, name).entries
        assert (entry.excerpt, entry.author, entry.tags) == ("Some text.", post.author.username, [])

    def test_the_feed_describes_itself(self, client: Client, db: None, name: str) -> None:
        make_post()
        parsed = get_feed(client, name)
        parsed.entries.clear()
        assert parsed == ParsedFeed(
            title="Blogsite",
            url=f"http://127.0.0.1:8000/feeds/{name}",
            home="http://127.0.0.1:8000/",
            description="The newest posts.",
            language="en",
        )

    def test_without_posts_the_feed_is_empty(self, client: Client, db: None, name: str) -> None:
        assert get_feed(client, name).entries == []

    def test_the_feed_has_the_twenty_newest_posts(self, client: Client, db: None, name: str) -> None:
        author, now = make_author(), timezone.now()
        for age in (3, 1, 2, *range(4, 24)):
            make_post(title=f"{age}", author=author, published_at=now - timedelta(hours=age))
        assert get_feed(client, name).titles == [f"{age}" for age in range(1, 21)]

    def test_the_id_stays_when_the_slug_changes(self, client: Client, db: None, name: str) -> None:
        post = make_post(slug="before")
        (before,) = get_feed(client, name).entries
        services.update_post(actor=post.author, post_id=post.pk, changes={"slug": "after", "title": "After"})
        (after,) = get_feed(client, name).entries
        assert (before.id, before.url.removesuffix("before")) == (after.id, after.url.removesuffix("after"))

    def test_urls_are_made_from_the_setting(self, client: Client, db: None, name: str, settings: Settings) -> None:
        settings.BLOG_POST_URL = "https://example.org/?page=post&post={slug}#top"
        make_post(slug="hello")
        (entry,) = get_feed(client, name).entries
        assert entry.url == "https://example.org/?page=post&post=hello#top"

    def test_characters_that_are_invalid_in_xml_are_removed(self, client: Client, db: None, name: str) -> None:
        """The API accepts these characters."""
        author = make_author(full_name=f"A{INVALID_IN_XML}da")
        text, tag = f"a{INVALID_IN_XML}b\N{PILE OF POO}", "t\x01\ufffeg"
        make_post(title=text, content=text, excerpt=text, tags=[tag], author=author)
        (entry,) = get_feed(client, name).entries
        if name != "feed.json":
            assert (entry.title, entry.excerpt) == ("ab\N{PILE OF POO}", "ab\N{PILE OF POO}")
            assert (entry.author, entry.tags) == ("Ada", ["tg"])
        assert get_feed(client, name, f"tags/{quote(tag)}/").entries == [entry]
        assert get_feed(client, name, f"authors/{author.username}/").entries == [entry]


@every_format
class TestVisibility:
    def test_the_feeds_are_the_same_for_every_user(self, client: Client, db: None, name: str) -> None:
        author = make_author()
        for make in (make_post, make_draft, make_scheduled):
            make(title=make.__name__, author=author, tags=["news"])
        tokens = [access_token(user) for user in (author, make_editor(), make_admin())]
        client.force_login(make_admin())
        for folder in ("", "tags/news/", f"authors/{author.username}/"):
            assert get_feed(client, name, folder).titles == ["make_post"]
            for token in tokens:
                assert get_feed(client, name, folder, Authorization=f"Bearer {token}").titles == ["make_post"]

    def test_a_scheduled_post_appears_at_its_time(self, client: Client, db: None, name: str) -> None:
        moment = datetime(2030, 1, 1, 12, tzinfo=UTC)
        with time_machine.travel(moment - timedelta(hours=1), tick=False) as clock:
            make_scheduled(published_at=moment)
            clock.move_to(moment - timedelta(microseconds=1))
            assert get_feed(client, name).entries == []
            clock.move_to(moment)
            (entry,) = get_feed(client, name).entries
        assert (entry.published, entry.updated) == (seconds(moment), seconds(moment))


@every_format
class TestTags:
    @pytest.mark.parametrize("tag", ["news", "a/b", "c++", "two words", "été", "100%", "%2f", "?", "#1", "a/rss.xml"])
    def test_any_tag_has_a_feed(self, client: Client, db: None, name: str, tag: str) -> None:
        make_post(title="Tagged", tags=["other", tag])
        make_post(tags=["other"])
        parsed = get_feed(client, name, f"tags/{quote(tag, safe='')}/")
        assert (parsed.titles, parsed.title) == (["Tagged"], f"Blogsite: {tag}")
        path = parsed.url.removeprefix("http://127.0.0.1:8000/feeds/").removesuffix(name)
        assert get_feed(client, name, path) == parsed

    def test_the_tag_is_case_insensitive(self, client: Client, db: None, name: str) -> None:
        make_post(tags=["news"])
        assert get_feed(client, name, "tags/News/") == get_feed(client, name, "tags/news/")

    @pytest.mark.parametrize("tag", ["unknown", "secret", "t" * 51, "a%00", "%20", "%0A", ""])
    def test_a_tag_without_public_posts_is_404(self, client: Client, db: None, name: str, tag: str) -> None:
        make_draft(tags=["secret"])
        make_scheduled(tags=["secret"])
        assert client.get(f"/feeds/tags/{tag}/{name}").status_code == 404


@every_format
class TestAuthors:
    def test_an_author_has_a_feed(self, client: Client, db: None, name: str) -> None:
        make_post(title="Ada's", author=make_author(username="ada.l", full_name="Ada Lovelace"))
        make_post()
        parsed = get_feed(client, name, "authors/ada.l/")
        assert (parsed.titles, parsed.title) == (["Ada's"], "Blogsite: Ada Lovelace")
        assert parsed.url == f"http://127.0.0.1:8000/feeds/authors/ada.l/{name}"
        assert get_feed(client, name, "authors/ADA.L/").titles == ["Ada's"]

    @pytest.mark.parametrize("username", ["nobody", "drafter", "a%00b", "a", "a/b"])
    def test_an_author_without_public_posts_is_404(self, client: Client, db: None, name: str, username: str) -> None:
        author = make_author(username="drafter")
        make_draft(author=author)
        make_scheduled(author=author)
        assert client.get(f"/feeds/authors/{username}/{name}").status_code == 404


@every_format
class TestHTTP:
    def test_responses_are_cacheable_and_revalidated(
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
    def test_other_methods_are_not_allowed(self, client: Client, db: None, name: str, method: str) -> None:
        response = client.generic(method.upper(), f"/feeds/{name}")
        assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")

    def test_unknown_parameters_are_ignored(self, client: Client, db: None, name: str) -> None:
        make_post()
        assert client.get(f"/feeds/{name}?x=1&page=2").content == client.get(f"/feeds/{name}").content

    @pytest.mark.parametrize("posts", [1, 20])
    @pytest.mark.parametrize("folder", ["", "tags/news/", "authors/ada/"])
    def test_a_feed_takes_one_query(
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
def test_other_paths_are_404(client: Client, db: None, path: str) -> None:
    make_post(tags=["a"])
    assert client.get(f"/feeds/{path}").status_code == 404


@pytest.mark.parametrize(
    "url",
    ["example.org/{slug}", "https://example.org/", "https://{slug}.example.org/", "https://example.org/{id}/{slug}"],
)
def test_a_post_url_without_a_slug_in_its_path_is_rejected(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("BLOG_POST_URL", url)
    with pytest.raises(ImproperlyConfigured, match="Bad setting BLOG_POST_URL: "):
        read_environment()


class TestImages:
    @pytest.mark.parametrize("name", ["rss.xml", "atom.xml"])
    def test_a_cover_image_is_an_enclosure(self, client: Client, db: None, name: str) -> None:
        media = make_media()
        make_post(cover_image_id=media.pk, author=media.author)
        parsed = feedparser.parse(client.get(f"/feeds/{name}").content)
        assert not parsed.bozo
        (enclosure,) = parsed.entries[0].enclosures
        assert enclosure.href == f"{settings.BLOG_URL}{media.url}"
        assert (enclosure.type, enclosure.length) == (media.content_type, str(media.bytes))

    def test_a_cover_image_is_the_image_of_json_feed(self, client: Client, db: None) -> None:
        media = make_media()
        make_post(cover_image_id=media.pk, author=media.author)
        make_post(published_at=timezone.now() - timedelta(days=1))
        covered, bare = client.get("/feeds/feed.json").json()["items"]
        assert covered["image"] == f"{settings.BLOG_URL}{media.url}"
        assert "image" not in bare

    @every_format
    def test_the_urls_of_media_in_the_content_are_absolute(self, client: Client, db: None, name: str) -> None:
        text = '![x](/media/x.png) ![y](https://example.org/media/y.png) [z](/media/z.png) `<img src="/media/c.png">`'
        make_post(content=text)
        response = client.get(f"/feeds/{name}")
        (entry,) = read(response.content, response["Content-Type"]).entries
        assert f'src="{settings.BLOG_URL}/media/x.png"' in entry.content
        assert 'src="https://example.org/media/y.png"' in entry.content
        assert f'href="{settings.BLOG_URL}/media/z.png"' in entry.content
        assert '"/media/c.png"' in entry.content  # code is not changed
