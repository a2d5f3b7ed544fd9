"""Reads the three formats of feeds into one form, and checks that they are valid."""

import html
import json
from calendar import timegm
from dataclasses import dataclass, field
from datetime import datetime

import feedparser  # type: ignore[import-untyped]
from django.test import Client

CONTENT_TYPES = {
    "rss.xml": "application/rss+xml; charset=utf-8",
    "atom.xml": "application/atom+xml; charset=utf-8",
    "feed.json": "application/feed+json",
}


@dataclass
class Entry:
    """A post in a feed of any format. Times are Unix timestamps in whole seconds."""

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
class ParsedFeed:
    """A feed of any format."""

    title: str
    url: str
    home: str
    description: str
    language: str
    entries: list[Entry] = field(default_factory=list)

    @property
    def titles(self) -> list[str]:
        return [entry.title for entry in self.entries]


def read(body: bytes, content_type: str) -> ParsedFeed:
    """Parse the body of a response, which must be a valid feed."""
    return read_json(body) if "json" in content_type else read_xml(body, content_type)


def read_xml(body: bytes, content_type: str) -> ParsedFeed:
    parsed = feedparser.parse(
        body, response_headers={"content-type": content_type}, sanitize_html=False, resolve_relative_uris=False
    )
    assert not parsed.bozo, parsed.bozo_exception
    assert parsed.version == ("rss20" if "rss" in content_type else "atom10")
    links = {link.rel: link.href for link in parsed.feed.links}
    if parsed.version == "atom10":
        assert parsed.feed.id == links["self"]
        assert parsed.feed.updated
    return ParsedFeed(
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


def read_json(body: bytes) -> ParsedFeed:
    """Parse a feed that has exactly the required members of https://www.jsonfeed.org/version/1.1/ and those we add."""
    feed = json.loads(body)
    assert set(feed) == {"version", "title", "home_page_url", "feed_url", "description", "language", "items"}
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    for item in feed["items"]:
        strings = {"id", "url", "title", "content_html", "summary", "date_published", "date_modified"}
        assert set(item) == strings | {"authors", "tags"}
        assert all(isinstance(item[name], str) for name in strings)
        assert [set(author) for author in item["authors"]] == [{"name"}]
        assert all(isinstance(tag, str) for tag in item["tags"])
    return ParsedFeed(
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


def get_feed(client: Client, name: str, folder: str = "", **headers: str) -> ParsedFeed:
    """Request a feed, which must exist, and parse it."""
    response = client.get(f"/feeds/{folder}{name}", headers=headers)
    assert response.status_code == 200
    assert response["Content-Type"] == CONTENT_TYPES[name]
    return read(response.content, response["Content-Type"])
