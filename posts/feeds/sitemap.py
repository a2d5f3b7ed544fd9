"""The sitemap of the public posts (https://www.sitemaps.org/protocol.html)."""

from collections.abc import Iterable
from datetime import datetime
from io import StringIO
from typing import Any
from urllib.parse import urlsplit
from xml.sax.xmlreader import AttributesImpl

from django.conf import settings
from django.contrib.sitemaps import Sitemap
from django.core.paginator import InvalidPage
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.xmlutils import SimplerXMLGenerator

from posts import queries
from posts.feeds.feeds import last_changed_at, post_url, public_view
from posts.models import Post, PostQuerySet


class PostSitemap(Sitemap[Post]):
    """The public posts, oldest first, so that a new post changes only the last page."""

    limit = 5000

    def items(self) -> PostQuerySet:
        return queries.sitemap_posts()

    def get_protocol(self, protocol: str | None = None) -> str:
        return urlsplit(settings.BLOG_POST_URL).scheme

    def get_domain(self, site: Any = None) -> str:
        return urlsplit(settings.BLOG_POST_URL).netloc

    def location(self, post: Post) -> str:
        """Return the post's URL without its scheme and host."""
        return "/" + post_url(post).split("/", 3)[3]

    def lastmod(self, post: Post) -> datetime:
        return last_changed_at(post)


@public_view
def sitemap(request: HttpRequest, page: str | None = None) -> HttpResponse:
    """Return a page of the sitemap; without `page`, the only page or an index of the pages. 404 for an unknown page."""
    posts = PostSitemap()
    pages = posts.paginator.page_range if page is None else ()
    if len(pages) > 1:
        addresses = (settings.BLOG_URL + reverse("sitemap", kwargs={"page": number}) for number in pages)
        return _xml("sitemapindex", "sitemap", ({"loc": address} for address in addresses))
    try:
        urls = posts.get_urls(page or 1)
    except InvalidPage:
        raise Http404 from None
    return _xml("urlset", "url", ({"loc": url["location"], "lastmod": url["lastmod"].isoformat()} for url in urls))


def _xml(root: str, name: str, entries: Iterable[dict[str, str]]) -> HttpResponse:
    """Return the same XML as Django's sitemap templates, ten times as fast."""
    text = StringIO()
    xml = SimplerXMLGenerator(text, "utf-8")
    xml.startDocument()
    xml.startElement(root, AttributesImpl({"xmlns": "http://www.sitemaps.org/schemas/sitemap/0.9"}))
    for entry in entries:
        xml.startElement(name, AttributesImpl({}))
        for field, value in entry.items():
            xml.addQuickElement(field, value)
        xml.endElement(name)
    xml.endElement(root)
    return HttpResponse(text.getvalue(), content_type="application/xml")
