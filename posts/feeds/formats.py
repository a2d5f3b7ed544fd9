"""The formats of feeds: RSS 2.0, Atom (RFC 4287) and JSON Feed 1.1, each with the whole content of its posts."""

import re
from typing import Any

import orjson
from django.utils.feedgenerator import Atom1Feed, Rss201rev2Feed, SyndicationFeed, rfc3339_date
from django.utils.xmlutils import SimplerXMLGenerator

_INVALID_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2


class _XMLFeed(SyndicationFeed):
    """Removes the characters that XML cannot contain: one of them would make the whole feed invalid."""

    def write(self, outfile: Any, encoding: str) -> None:
        self.feed, self.items = _valid_in_xml(self.feed), _valid_in_xml(self.items)
        super().write(outfile, encoding)


class RSS(_XMLFeed, Rss201rev2Feed):
    """RSS 2.0, with the time of each post's last change."""

    def rss_attributes(self) -> dict[str, str]:
        return {**super().rss_attributes(), "xmlns:content": "http://purl.org/rss/1.0/modules/content/"}

    def add_item_elements(self, handler: SimplerXMLGenerator, item: dict[str, Any]) -> None:
        super().add_item_elements(handler, item)
        handler.addQuickElement("content:encoded", item["content_html"])
        handler.addQuickElement("atom:updated", rfc3339_date(item["updateddate"]))


class Atom(_XMLFeed, Atom1Feed):
    """Atom, as in RFC 4287."""

    def add_item_elements(self, handler: SimplerXMLGenerator, item: dict[str, Any]) -> None:
        super().add_item_elements(handler, item)
        handler.addQuickElement("content", item["content_html"], {"type": "html"})


class JSONFeed(SyndicationFeed):
    """JSON Feed 1.1: https://www.jsonfeed.org/version/1.1/"""

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
"""The formats by the names of their files."""


def _valid_in_xml(value: Any) -> Any:
    """Return the value with invalid characters removed from every string in it."""
    match value:
        case str():
            return _INVALID_IN_XML.sub("", value)
        case list():
            return [_valid_in_xml(item) for item in value]
        case dict():
            return {name: _valid_in_xml(item) for name, item in value.items()}
    return value
