"""The base class of the admin pages of posts and of images."""

from typing import TypeVar, cast

from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.models import User
from blogsite.admin import ServiceAdmin
from posts.models import Media, Post

M = TypeVar("M", Post, Media)


class OwnedAdmin(ServiceAdmin[M]):
    """A ModelAdmin for objects with an author: authors manage their own, editors and admins manage all."""

    @staticmethod
    def actor(request: HttpRequest) -> User:
        """Return the logged-in user; the admin site admits no anonymous user."""
        return cast("User", request.user)

    def has_view_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return request.user.has_perm(f"posts.view_{self.opts.model_name}", obj)

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return request.user.has_perm(f"posts.change_{self.opts.model_name}", obj)

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return request.user.has_perm(f"posts.delete_{self.opts.model_name}", obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[M]) -> None:
        for obj in queryset:
            self.delete_model(request, obj)
