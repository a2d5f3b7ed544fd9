"""Posts in the admin site: authors manage their own, editors and admins manage all."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.text import Truncator

from accounts.models import User
from posts import services
from posts.access import Access
from posts.admin import views
from posts.admin.forms import PostForm
from posts.admin.media import thumbnail
from posts.admin.owned import OwnedAdmin
from posts.models import Post, PostStatus


class StatusFilter(admin.SimpleListFilter):
    """Filters posts by their `PostStatus`."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(value), str(label)) for value, label in PostStatus.choices]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        status = self.value()
        return queryset.with_status(PostStatus(status)) if status in PostStatus.values else queryset


@admin.register(Post)
class PostAdmin(OwnedAdmin[Post]):
    """Write, find, publish and delete posts."""

    form = PostForm
    list_display = ("short_title", "status", "author", "tag_list", "published_at", "updated_at")
    list_select_related = ("author",)
    search_fields = ("title", "slug", "content")
    date_hierarchy = "published_at"
    ordering = ("-updated_at", "-pk")
    raw_id_fields = ("cover_image",)
    readonly_fields = ("cover", "created_at", "updated_at", "history")
    actions = ("publish", "unpublish", "restore")
    change_list_template = "admin/posts/post/change_list.html"

    @admin.display(description="Title", ordering="title")
    def short_title(self, post: Post) -> str:
        return Truncator(post.title).chars(80)

    @admin.display(description="Tags")
    def tag_list(self, post: Post) -> str:
        return ", ".join(post.tags)

    @admin.display(description="Current cover image")
    def cover(self, post: Post) -> str:
        return thumbnail(post.cover_image) if post.cover_image else "-"

    @admin.display(description="Version")
    def history(self, post: Post) -> str:
        url = reverse("admin:posts_post_revisions", args=[post.pk])
        return format_html('{}, <a href="{}">Revisions</a>', post.version, url)

    def get_urls(self) -> list[URLPattern]:
        tags, revisions = (self.admin_site.admin_view(partial(view, self)) for view in (views.tags, views.revisions))
        return [
            path("tags/", tags, name="posts_post_tags"),
            path("<int:post_id>/revisions/", revisions, name="posts_post_revisions"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Post]:
        return Post.objects.changeable_by(Access.to_posts(self.actor(request))).with_content()

    def get_list_filter(self, request: HttpRequest) -> Any:
        authors = ("author", admin.RelatedOnlyFieldListFilter)
        return (StatusFilter, authors) if self.actor(request).is_editor else (StatusFilter,)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "author":
            # A post keeps its author, even one who may no longer write.
            post_id: Any = request.resolver_match and request.resolver_match.kwargs.get("object_id")
            current = Q(pk__in=Post.objects.filter(pk=post_id).values("author"))
            writers = Q(pk__in=User.objects.writers().values("pk"))
            kwargs["queryset"] = User.objects.with_account().filter(writers | current)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Post | None = None) -> Any:
        fields = [name for name in PostForm.Meta.fields if name != "author" or self.actor(request).is_editor]
        if obj is None:
            return fields
        fields.insert(fields.index("cover_image") + 1, "cover")
        return ["read_version", *fields, *(name for name in self.readonly_fields if name != "cover")]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"author": request.user.pk, **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: Post, form: Any, change: bool) -> None:
        fields = {name: form.cleaned_data[name] for name in PostForm.Meta.fields if name in form.cleaned_data}
        changed = {"cover_image_id" if name == "cover_image" else name for name in form.changed_data}
        cover = fields.pop("cover_image")
        fields["cover_image_id"] = cover and cover.pk
        if change:
            changes = {name: value for name, value in fields.items() if name in changed}
            read = form.cleaned_data.get("read_version")
            services.update_post(actor=self.actor(request), post_id=obj.pk, changes=changes, versions=read and {read})
        else:
            obj.pk = services.create_post(actor=self.actor(request), **fields).pk

    def delete_model(self, request: HttpRequest, obj: Post) -> None:
        services.trash_post(actor=self.actor(request), post_id=obj.pk)

    @admin.action(description="Restore from the trash", permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Post]) -> None:
        self._call_for_each(request, queryset, services.restore_post, "restored")

    @admin.action(description="Publish", permissions=["change"])
    def publish(self, request: HttpRequest, queryset: QuerySet[Post]) -> None:
        self._call_for_each(request, queryset, services.publish_post, "published")

    @admin.action(description="Unpublish", permissions=["change"])
    def unpublish(self, request: HttpRequest, queryset: QuerySet[Post]) -> None:
        self._call_for_each(request, queryset, services.unpublish_post, "unpublished")

    def _call_for_each(
        self, request: HttpRequest, posts: QuerySet[Post], service: Callable[..., Post], done: str
    ) -> None:
        actor = self.actor(request)
        self.for_each(request, posts, lambda post: service(actor=actor, post_id=post.pk), done)
