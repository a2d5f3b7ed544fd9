"""Feeds of the newest public posts, of all or of a tag or an author: RSS 2.0, Atom (RFC 4287) and JSON Feed 1.1."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any
from urllib.parse import quote, urljoin

import orjson
from django.conf import settings
from django.contrib.syndication.views import Feed, FeedDoesNotExist
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.urls.converters import PathConverter, StringConverter
from django.utils.cache import get_conditional_response, set_response_etag
from django.utils.feedgenerator import Atom1Feed, Enclosure, Rss201rev2Feed, SyndicationFeed, get_tag_uri, rfc3339_date
from django.utils.html import escape
from django.utils.xmlutils import SimplerXMLGenerator
from django.views.decorators.http import require_safe
from pydantic import TypeAdapter

from accounts.schemas import Username
from blogsite.http.responses import PUBLIC
from posts.models import Media, Post
from posts.schemas import TagName

NEWEST = 20
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2
IN_TAG = re.compile(rf'<(?:img|a) [^<>]*?\b(?:src|href)="(?={settings.MEDIA_URL})')
_tag: TypeAdapter[str] = TypeAdapter(TagName)
_username: TypeAdapter[str] = TypeAdapter(Username)


def post_url(post: Post) -> str:
    """Where people read the post."""
    return settings.BLOG_POST_URL.replace("{slug}", quote(post.slug))


def changed_at(post: Post) -> datetime:
    """When the public last saw a change: a scheduled post is written before it appears."""
    return max(post.updated_at, post.published_at or post.updated_at)


def for_everybody(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponseBase]:
    """Answer GET and HEAD alone, always alike: caches may keep the answer, and its ETag tells it from others."""

    @require_safe
    @wraps(view)
    def answer(request: HttpRequest, **chosen: Any) -> HttpResponseBase:
        response = view(request, **chosen)
        set_response_etag(response)
        response["Cache-Control"] = PUBLIC.format(settings.PUBLIC_MAX_AGE)
        response["Vary"] = "Accept-Encoding"  # the response cache compresses
        del response["Last-Modified"]  # it goes back when the newest post is deleted: the ETag alone is exact
        return get_conditional_response(request, etag=response["ETag"], response=response) or response

    return answer


class _XMLFeed(SyndicationFeed):
    """Leaves out the characters that XML has no way to write: one in a title would break the whole feed."""

    def write(self, outfile: Any, encoding: str) -> None:
        self.feed, self.items = _without_not_xml(self.feed), _without_not_xml(self.items)
        super().write(outfile, encoding)


class RSS(_XMLFeed, Rss201rev2Feed):
    """With the whole content of each post, and when it changed."""

    def rss_attributes(self) -> dict[str, str]:
        return {**super().rss_attributes(), "xmlns:content": "http://purl.org/rss/1.0/modules/content/"}

    def add_item_elements(self, handler: SimplerXMLGenerator, item: dict[str, Any]) -> None:
        super().add_item_elements(handler, item)
        handler.addQuickElement("content:encoded", item["content_html"])
        handler.addQuickElement("atom:updated", rfc3339_date(item["updateddate"]))


class Atom(_XMLFeed, Atom1Feed):
    """With the whole content of each post."""

    def add_item_elements(self, handler: SimplerXMLGenerator, item: dict[str, Any]) -> None:
        super().add_item_elements(handler, item)
        handler.addQuickElement("content", item["content_html"], {"type": "html"})


class JSONFeed(SyndicationFeed):
    """https://www.jsonfeed.org/version/1.1/"""

    content_type = "application/feed+json"

    def write(self, outfile: Any, encoding: str) -> None:
        feed = {
            "version": "https://jsonfeed.org/version/1.1",
            "title": self.feed["title"],
            "home_page_url": self.feed["link"],
            "feed_url": self.feed["feed_url"],
            "description": self.feed["description"],
            "language": self.feed["language"],
            "items": [
                {
                    "id": item["unique_id"],
                    "url": item["link"],
                    "title": item["title"],
                    "content_html": item["content_html"],
                    "summary": item["summary"],
                    "date_published": item["pubdate"],
                    "date_modified": item["updateddate"],
                    "authors": [{"name": item["author_name"]}],
                    "tags": item["categories"],
                    **({"image": item["enclosures"][0].url} if item["enclosures"] else {}),
                }
                for item in self.items
            ],
        }
        outfile.write(orjson.dumps(feed, option=orjson.OPT_UTC_Z).decode())


FORMATS: dict[str, type[SyndicationFeed]] = {"rss.xml": RSS, "atom.xml": Atom, "feed.json": JSONFeed}


class FormatConverter(StringConverter):
    """A name of the `FORMATS`."""

    regex = "|".join(map(re.escape, FORMATS))


class TagConverter(PathConverter):
    """A tag as the API takes it, in any case of letters. What can be none (a ValueError) is not there."""

    def to_python(self, value: str) -> str:
        return _tag.validate_python(value)


class UsernameConverter(StringConverter):
    """A username as the API takes it. What can be none (a ValueError) is not there."""

    def to_python(self, value: str) -> str:
        return _username.validate_python(value)


@dataclass(frozen=True)
class Channel:
    """What one feed shows."""

    title: str
    url: str
    posts: list[Post]


class PostFeed(Feed[Post, Channel]):
    """Fills a feed, of any of the `FORMATS`, with a channel's posts."""

    language = settings.BLOG_LANGUAGE
    description = subtitle = settings.BLOG_DESCRIPTION
    link = urljoin(settings.BLOG_POST_URL, "/")
    item_guid_is_permalink = False

    def __init__(self, feed_type: type[SyndicationFeed]) -> None:
        self.feed_type = feed_type

    def get_object(self, request: HttpRequest, format: str, **chosen: str) -> Channel:
        tag, author = chosen.get("tag"), chosen.get("author")
        found = Post.objects.published().tagged(*([tag] if tag else []))
        found = found.by(author) if author else found
        order = ("-tag_time", "-tag_post") if tag else ("-published_at", "-id")
        posts = list(found.with_content().order_by(*order)[:NEWEST])
        if chosen and not posts:
            raise FeedDoesNotExist
        subject = posts[0].author.get_full_name() if author else tag
        return Channel(
            title=f"{settings.BLOG_TITLE}: {subject}" if subject else settings.BLOG_TITLE,
            url=settings.BLOG_URL + reverse("feed", kwargs={"format": format, **chosen}),
            posts=posts,
        )

    def title(self, channel: Channel) -> str:
        return channel.title

    def feed_url(self, channel: Channel) -> str:
        return channel.url

    feed_guid = feed_url

    def items(self, channel: Channel) -> list[Post]:
        return channel.posts

    def item_title(self, post: Post) -> str:
        return post.title

    def item_description(self, post: Post) -> str:
        return escape(post.summary)  # RSS and Atom take it for HTML

    def item_link(self, post: Post) -> str:
        return post_url(post)

    def item_guid(self, post: Post) -> str:
        return get_tag_uri(f"{settings.BLOG_URL}/posts/{post.pk}", post.created_at)  # RFC 4151: of what never changes

    def item_pubdate(self, post: Post) -> datetime | None:
        return post.published_at

    def item_updateddate(self, post: Post) -> datetime:
        return changed_at(post)

    def item_author_name(self, post: Post) -> str:
        return post.author.get_full_name()

    def item_enclosures(self, post: Post) -> list[Enclosure]:
        cover = post.cover_image
        return [Enclosure(_media_url(cover), str(cover.bytes), cover.content_type)] if cover else []

    def item_categories(self, post: Post) -> list[str]:
        tags: list[str] = post.tags
        return tags

    def item_extra_kwargs(self, post: Post) -> dict[str, str]:
        # A reader shows the text far from our origin, to which the addresses of our images belong.
        content_html = IN_TAG.sub(rf"\g<0>{settings.BLOG_URL}", post.content_html)
        return {"content_html": content_html, "summary": post.summary}


@for_everybody
def feed(request: HttpRequest, format: str, **chosen: str) -> HttpResponse:
    """The newest posts, of a `tag` or an `author` if one is chosen, in one of the `FORMATS`."""
    return PostFeed(FORMATS[format])(request, format, **chosen)


def _media_url(media: Media) -> str:
    return f"{settings.BLOG_URL}{media.url}"


def _without_not_xml(value: Any) -> Any:
    """The value, without those characters in any text in it."""
    match value:
        case str():
            return NOT_XML.sub("", value)
        case list():
            return [_without_not_xml(item) for item in value]
        case dict():
            return {name: _without_not_xml(item) for name, item in value.items()}
    return value
