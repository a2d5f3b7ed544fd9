"""Feeds of the newest public posts: of all posts, of a tag, or of an author."""

import re
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any
from urllib.parse import quote, urljoin

from django.conf import settings
from django.contrib.syndication.views import Feed, FeedDoesNotExist
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.cache import get_conditional_response, set_response_etag
from django.utils.feedgenerator import Enclosure, SyndicationFeed, get_tag_uri
from django.utils.html import escape
from django.views.decorators.http import require_safe

from blogsite.http.responses import PUBLIC
from posts import queries
from posts.feeds.formats import FORMATS
from posts.models import Post

MAX_POSTS = 20
_MEDIA_LINK = re.compile(rf'<(?:img|a) [^<>]*?\b(?:src|href)="(?={settings.MEDIA_URL})')


def post_url(post: Post) -> str:
    """Return the URL at which readers find the post, from the setting `BLOG_POST_URL`."""
    return settings.BLOG_POST_URL.replace("{slug}", quote(post.slug))


def last_changed_at(post: Post) -> datetime:
    """Return when readers last saw a change. A scheduled post changes for them when it is published."""
    return max(post.updated_at, post.published_at or post.updated_at)


def public_view(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponseBase]:
    """Decorate a view of public content: only GET and HEAD, public caching, and conditional requests by ETag."""

    @require_safe
    @wraps(view)
    def wrapper(request: HttpRequest, **parameters: Any) -> HttpResponseBase:
        response = view(request, **parameters)
        set_response_etag(response)
        response["Cache-Control"] = PUBLIC.format(settings.PUBLIC_MAX_AGE)
        response["Vary"] = "Accept-Encoding"  # the response cache compresses responses
        del response["Last-Modified"]  # wrong after a deletion of the newest post; the ETag is exact
        return get_conditional_response(request, etag=response["ETag"], response=response) or response

    return wrapper


class PostFeed(Feed[Post, list[Post]]):
    """A feed of the newest posts in one of the `FORMATS`, for one request."""

    language = settings.BLOG_LANGUAGE
    description = subtitle = settings.BLOG_DESCRIPTION
    link = urljoin(settings.BLOG_POST_URL, "/")
    item_guid_is_permalink = False

    def __init__(self, feed_type: type[SyndicationFeed]) -> None:
        self.feed_type = feed_type

    def get_object(self, request: HttpRequest, format: str, **filters: str) -> list[Post]:
        posts = list(queries.newest_posts(**filters)[:MAX_POSTS])
        if filters and not posts:
            raise FeedDoesNotExist
        subject = posts[0].author.get_full_name() if "author" in filters else filters.get("tag")
        self.title = f"{settings.BLOG_TITLE}: {subject}" if subject else settings.BLOG_TITLE
        self.feed_url = self.feed_guid = settings.BLOG_URL + reverse("feed", kwargs={"format": format, **filters})
        return posts

    def items(self, posts: list[Post]) -> list[Post]:
        return posts

    def item_title(self, post: Post) -> str:
        return post.title

    def item_description(self, post: Post) -> str:
        return escape(post.summary)  # RSS and Atom expect HTML

    def item_link(self, post: Post) -> str:
        return post_url(post)

    def item_guid(self, post: Post) -> str:
        return get_tag_uri(f"{settings.BLOG_URL}/posts/{post.pk}", post.created_at)  # RFC 4151; it never changes

    def item_pubdate(self, post: Post) -> datetime | None:
        return post.published_at

    def item_updateddate(self, post: Post) -> datetime:
        return last_changed_at(post)

    def item_author_name(self, post: Post) -> str:
        return post.author.get_full_name()

    def item_enclosures(self, post: Post) -> list[Enclosure]:
        cover = post.cover_image
        return [Enclosure(settings.BLOG_URL + cover.url, str(cover.bytes), cover.content_type)] if cover else []

    def item_categories(self, post: Post) -> list[str]:
        tags: list[str] = post.tags
        return tags

    def item_extra_kwargs(self, post: Post) -> dict[str, str]:
        # Feed readers show the content on other origins, so that the URLs of media files must be absolute.
        content_html = _MEDIA_LINK.sub(rf"\g<0>{settings.BLOG_URL}", post.content_html)
        return {"content_html": content_html, "summary": post.summary}


@public_view
def feed(request: HttpRequest, format: str, **filters: str) -> HttpResponse:
    """Return the newest posts, or those of a `tag` or an `author`, in one of the `FORMATS`. 404 if there are none."""
    return PostFeed(FORMATS[format])(request, format, **filters)
