"""The sitemap of the public posts (https://www.sitemaps.org/protocol.html)."""

from collections.abc import Iterable
from io import StringIO
from xml.sax.xmlreader import AttributesImpl

from django.conf import settings
from django.core.paginator import InvalidPage, Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.xmlutils import SimplerXMLGenerator

from posts import queries
from posts.feeds.feeds import last_changed_at, post_url, public_view

PAGE_SIZE = 5_000


@public_view
def sitemap(request: HttpRequest, page: str | None = None) -> HttpResponse:
    """Return a page of the sitemap; without `page`, the only page or an index of the pages. 404 for an unknown page.

    The posts are in the order of their publication, so that a new post changes only the last page.
    """
    pages = Paginator(queries.sitemap_posts(), PAGE_SIZE)
    if page is None and pages.num_pages > 1:
        addresses = (settings.BLOG_URL + reverse("sitemap", kwargs={"page": number}) for number in pages.page_range)
        return _xml("sitemapindex", "sitemap", ({"loc": address} for address in addresses))
    try:
        posts = pages.page(page or 1)
    except InvalidPage:
        raise Http404 from None
    urls = ({"loc": post_url(post), "lastmod": last_changed_at(post).isoformat()} for post in posts)
    return _xml("urlset", "url", urls)


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
