"""The URLs of the API, the admin site, the feeds and the sitemap."""

from django.conf import settings
from django.contrib import admin
from django.urls import path, re_path, register_converter
from django.views.generic import RedirectView

from blogsite.api import api
from posts.feeds import converters, feeds, sitemap

register_converter(converters.FormatConverter, "format")
register_converter(converters.TagConverter, "tag")
register_converter(converters.UsernameConverter, "username")

urlpatterns = [
    path("api/v1/", api.urls),
    path("", RedirectView.as_view(pattern_name="api:openapi-view")),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}blogsite/favicon.svg")),
    path("admin/", admin.site.urls),
    path("feeds/<format:format>", feeds.feed, name="feed"),
    path("feeds/tags/<tag:tag>/<format:format>", feeds.feed, name="feed"),
    path("feeds/authors/<username:author>/<format:format>", feeds.feed, name="feed"),
    path("sitemap.xml", sitemap.sitemap),
    re_path(r"^sitemap-(?P<page>[1-9][0-9]*)\.xml\Z", sitemap.sitemap, name="sitemap"),  # no leading zeros
]

handler400 = "blogsite.http.problems.bad_request"
handler404 = "blogsite.http.problems.not_found"
handler500 = "blogsite.http.problems.server_error"
