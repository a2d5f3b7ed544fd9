"""Uploaded images in the admin site: authors manage their own, editors and admins manage all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html

from posts.access import Access
from posts.admin.forms import UploadForm
from posts.admin.owned import OwnedAdmin
from posts.media import services
from posts.models import Media, MediaQuerySet


@admin.register(Media)
class MediaAdmin(OwnedAdmin[Media]):
    """Upload, find and delete images, and choose one as a cover image."""

    list_display = ("image", "alt_text", "size", "author", "created_at")
    list_display_links = ("image", "alt_text")
    list_select_related = ("author",)
    search_fields = ("alt_text", "name")
    ordering = ("-pk",)
    readonly_fields = ("image", "address", "size", "author", "created_at")
    list_per_page = 50

    @admin.display(description="Image")
    def image(self, media: Media) -> str:
        return thumbnail(media)

    @admin.display(description="URL")
    def address(self, media: Media) -> str:
        return format_html('<a href="{0}">{0}</a>', media.url)

    @admin.display(description="Size")
    def size(self, media: Media) -> str:
        return f"{media.width} × {media.height}, {filesizeformat(media.bytes)}"

    def get_queryset(self, request: HttpRequest) -> MediaQuerySet:
        return Media.objects.visible_to(Access.to_media(self.actor(request)))

    def get_form(self, request: HttpRequest, obj: Media | None = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change=change, **(kwargs if obj else {**kwargs, "form": UploadForm}))

    def get_fields(self, request: HttpRequest, obj: Media | None = None) -> Any:
        return ["alt_text", *self.readonly_fields] if obj else ["file", "alt_text"]

    @contextmanager
    def before_the_transaction(self, request: HttpRequest) -> Iterator[None]:
        file = request.FILES.get("file")
        if file is None:
            yield
            return
        received = services.received_upload(file, actor=self.actor(request))
        with received as request.upload:  # type: ignore[attr-defined] # for save_model
            yield

    def save_model(self, request: HttpRequest, obj: Media, form: Any, change: bool) -> None:
        actor, alt_text = self.actor(request), form.cleaned_data["alt_text"]
        if change:
            services.update_media(actor=actor, media_id=obj.pk, alt_text=alt_text)
            return
        upload = services.add_media(actor=actor, upload=request.upload, alt_text=alt_text)  # type: ignore[attr-defined] # set above
        if not upload.is_new:
            message = "You have uploaded this file before. Its alternative text is unchanged."
            self.message_user(request, message, messages.INFO)
        obj.pk = upload.media.pk
        obj.refresh_from_db()

    def delete_model(self, request: HttpRequest, obj: Media) -> None:
        services.delete_media(actor=self.actor(request), media_id=obj.pk)


def thumbnail(media: Media) -> str:
    """Return an HTML element that shows the image's smallest file, at most 160 by 80 pixels."""
    url = media.variant_files[0].url if media.variants else media.url
    return format_html('<img src="{}" alt="{}" style="max-height: 80px; max-width: 160px">', url, media.alt_text)
