"""Where everything is."""

from django.conf import settings
from django.contrib import admin
from django.urls import path
from django.views.generic import RedirectView

from blogsite.api import api

urlpatterns = [
    path("api/v1/", api.urls),
    path("", RedirectView.as_view(pattern_name="api:openapi-view")),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}blogsite/favicon.svg")),
    path("admin/", admin.site.urls),
]

handler400 = "blogsite.problems.bad_request"
handler404 = "blogsite.problems.not_found"
handler500 = "blogsite.problems.server_error"
