"""Posts in the admin site: authors see and change their own, editors and admins all."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pydantic
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import Truncator

from accounts.models import User
from blogsite.admin import ServiceAdmin
from blogsite.errors import BlogError
from posts import services
from posts.access import Access
from posts.content.revision_diff import revision_changes
from posts.media import services as uploads
from posts.models import Media, MediaQuerySet, Post, PostStatus, PostTag
from posts.schemas import PostCreate, TagName

REVISIONS_A_PAGE = 20
TAGS_A_PAGE = 200


TAG: pydantic.TypeAdapter[str] = pydantic.TypeAdapter(TagName)


class TagsField(forms.CharField):
    """Tags in one line, with commas between them. A tag that has a comma itself stands in double quotes."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(_quoted, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]
        return [tag for tag in map(str.strip, next(csv.reader([value or ""], skipinitialspace=True))) if tag]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(data) != (initial or []))


def _quoted(tag: str) -> str:
    return '"' + tag.replace('"', '""') + '"' if "," in tag or tag.startswith('"') else tag


class PostForm(forms.ModelForm[Post]):
    """A post, held against the same schema as the API's."""

    tags = TagsField(required=False, help_text="With commas between them.", widget=forms.TextInput(attrs={"size": 80}))
    read_version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    """The version that the form shows: what somebody else changed meanwhile is not overwritten."""

    class Meta:
        model = Post
        fields = ("title", "slug", "content", "excerpt", "tags", "cover_image", "author", "published", "published_at")
        widgets = {
            "title": forms.TextInput(attrs={"size": 80}),
            "slug": forms.TextInput(attrs={"size": 80}),
            "content": forms.Textarea(attrs={"rows": 30, "cols": 100}),
            "excerpt": forms.Textarea(attrs={"rows": 3, "cols": 100}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("read_version", self.instance.version)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name in ("content", "excerpt"):
            if name in cleaned:
                cleaned[name] = cleaned[name].replace("\r\n", "\n")  # as browsers send what was \n
        if cleaned.get("published") and "published_at" in cleaned:
            cleaned["published_at"] = cleaned["published_at"] or timezone.now()
        asked = {name: cleaned[name] for name in PostCreate.model_fields if name in cleaned}
        asked["slug"] = cleaned["slug"] = cleaned.get("slug") or self.instance.slug or None
        if asked.get("published_at"):
            asked["published_at"] = asked["published_at"].isoformat()
        try:
            cleaned |= PostCreate.model_validate(asked).model_dump()
        except pydantic.ValidationError as error:
            for problem in error.errors():
                field = str(problem["loc"][0])
                if field not in self.errors:
                    self.add_error(field, problem["msg"])
        return cleaned


class RenameForm(forms.Form):
    """A tag, and what it is to be."""

    old = forms.CharField(label="Tag", max_length=50)
    new = forms.CharField(label="Becomes", max_length=50, help_text="A tag that is there already: they are merged.")

    def clean(self) -> dict[str, str]:
        cleaned = {}
        for name, text in (super().clean() or self.cleaned_data).items():
            try:
                cleaned[name] = TAG.validate_python(text)
            except pydantic.ValidationError as error:
                self.add_error(name, error.errors()[0]["msg"])
        return cleaned


class StatusFilter(admin.SimpleListFilter):
    """By what a post is now."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(value), str(label)) for value, label in PostStatus.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Post]) -> QuerySet[Post]:
        posts = Post.objects.filter(pk__in=queryset)
        status = self.value()
        return posts.with_status(PostStatus(status)) if status else posts


def _actor(request: HttpRequest) -> User:
    return cast("User", request.user)  # nobody else gets past the login


def _object_id(request: HttpRequest) -> Any:
    return request.resolver_match and request.resolver_match.kwargs.get("object_id")


@admin.register(Post)
class PostAdmin(ServiceAdmin[Post]):
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

    @admin.display(description="Cover image now")
    def cover(self, post: Post) -> str:
        return thumbnail(post.cover_image) if post.cover_image else "-"

    @admin.display(description="Version")
    def history(self, post: Post) -> str:
        address = reverse("admin:posts_post_revisions", args=[post.pk])
        return format_html('{}, <a href="{}">what was changed</a>', post.version, address)

    def get_urls(self) -> list[URLPattern]:
        def at(route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=name)

        return [
            at("<int:post_id>/revisions/", self.revisions, "posts_post_revisions"),
            at("tags/", self.tags, "posts_post_tags"),
            *super().get_urls(),
        ]

    def tags(self, request: HttpRequest) -> HttpResponse:
        """All tags, each to be renamed over all its posts, or merged into another; for editors."""
        user = _actor(request)
        if not user.is_editor:
            raise PermissionDenied
        form = RenameForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            count = services.rename_tag(actor=user, **form.cleaned_data)
            message = "{old} is now {new}, in {count} posts.".format(**form.cleaned_data, count=count)
            self.message_user(request, message, messages.SUCCESS)
            return HttpResponseRedirect(request.path)
        counted = PostTag.objects.values("name").annotate(post_count=Count("post")).order_by("name")
        context = {
            **self.admin_site.each_context(request),
            "title": "Rename and merge tags",
            "opts": self.opts,
            "form": form,
            "page": Paginator(counted, TAGS_A_PAGE).get_page(request.GET.get("p")),
        }
        return TemplateResponse(request, "admin/posts/post/tags.html", context)

    def revisions(self, request: HttpRequest, post_id: int) -> HttpResponse:
        """What each change did, the newest first; a POST with a `version` reverts to it."""
        post = self.get_object(request, str(post_id))
        if post is None or not self.has_change_permission(request, post):
            raise PermissionDenied
        if request.method == "POST" and (version := request.POST.get("version", "")).isdecimal():
            try:
                services.revert_post(actor=_actor(request), post_id=post.pk, version=int(version))
                self.message_user(request, f"Reverted to version {version}.", messages.SUCCESS)
            except BlogError as error:
                self.message_user(request, error.detail, messages.ERROR)
            return HttpResponseRedirect(request.path)
        found = post.revisions.with_editor().order_by("-version")
        page = Paginator(found, REVISIONS_A_PAGE).get_page(request.GET.get("p"))
        first = page.object_list[len(page.object_list) - 1] if page.object_list else None
        older = found.filter(version__lt=first.version).first() if first else None
        changes = revision_changes([*page.object_list, *([older] if older else [])])
        context = {
            **self.admin_site.each_context(request),
            "title": f"What was changed: {post.title}",
            "opts": self.opts,
            "original": post,
            "page": page,
            "changes": changes[: len(page.object_list)],
        }
        return TemplateResponse(request, "admin/posts/post/revisions.html", context)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Post]:
        return Post.objects.with_content().changeable_by(Access.to_posts(_actor(request)))

    def get_list_filter(self, request: HttpRequest) -> Any:
        authors = ("author", admin.RelatedOnlyFieldListFilter)
        return (StatusFilter, authors) if _actor(request).is_editor else (StatusFilter,)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "author":
            # A post may keep an author who may no longer write.
            present = Q(pk__in=Post.objects.filter(pk=_object_id(request)).values("author"))
            writers = Q(pk__in=User.objects.writers().values("pk"))
            kwargs["queryset"] = User.objects.with_account().filter(writers | present)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Post | None = None) -> Any:
        fields = [name for name in PostForm.Meta.fields if name != "author" or _actor(request).is_editor]
        if obj is None:
            return fields
        cover = fields.index("cover_image") + 1
        shown = [name for name in self.readonly_fields if name != "cover"]
        return ["read_version", *fields[:cover], "cover", *fields[cover:], *shown]

    def has_view_permission(self, request: HttpRequest, obj: Post | None = None) -> bool:
        return request.user.has_perm("posts.view_post", obj)

    def has_change_permission(self, request: HttpRequest, obj: Post | None = None) -> bool:
        return request.user.has_perm("posts.change_post", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Post | None = None) -> bool:
        return request.user.has_perm("posts.delete_post", obj)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"author": request.user.pk, **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: Post, form: Any, change: bool) -> None:
        fields = {name: form.cleaned_data[name] for name in PostForm.Meta.fields if name in form.cleaned_data}
        changed = {"cover_image_id" if name == "cover_image" else name for name in form.changed_data}
        cover = fields.pop("cover_image")
        fields["cover_image_id"] = cover and cover.pk
        if change:
            changes = {name: value for name, value in fields.items() if name in changed}
            shown = form.cleaned_data.get("read_version")
            stored = services.update_post(
                actor=_actor(request), post_id=obj.pk, changes=changes, versions=shown and {shown}
            )
        else:
            stored = services.create_post(actor=_actor(request), **fields)
        vars(obj).update(vars(stored))

    def delete_model(self, request: HttpRequest, obj: Post) -> None:
        services.trash_post(actor=_actor(request), post_id=obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Post]) -> None:
        for post in queryset:
            services.trash_post(actor=_actor(request), post_id=post.pk)

    @admin.action(description="Restore from the trash", permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Post]) -> None:
        user = _actor(request)
        self.for_each(request, queryset, lambda post: services.restore_post(actor=user, post_id=post.pk), "restored")

    @admin.action(description="Publish", permissions=["change"])
    def publish(self, request: HttpRequest, queryset: QuerySet[Post]) -> None:
        user = _actor(request)
        self.for_each(request, queryset, lambda post: services.publish_post(actor=user, post_id=post.pk), "published")

    @admin.action(description="Unpublish", permissions=["change"])
    def unpublish(self, request: HttpRequest, queryset: QuerySet[Post]) -> None:
        self.for_each(
            request,
            queryset,
            lambda post: services.unpublish_post(actor=_actor(request), post_id=post.pk),
            "unpublished",
        )


class MediaForm(forms.ModelForm[Media]):
    """The text of an image, and the file of a new one."""

    file = forms.FileField(
        help_text="JPEG, PNG, WebP or GIF, up to 10 MiB.",
        widget=forms.FileInput(attrs={"accept": ",".join(uploads.EXTENSIONS)}),
    )

    class Meta:
        model = Media
        fields = ("alt_text",)
        widgets = {"alt_text": forms.TextInput(attrs={"size": 80})}


@admin.register(Media)
class MediaAdmin(ServiceAdmin[Media]):
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

    @admin.display(description="Address")
    def address(self, media: Media) -> str:
        return format_html('<a href="{0}">{0}</a>', media.url)

    @admin.display(description="Size")
    def size(self, media: Media) -> str:
        return f"{media.width} × {media.height}, {filesizeformat(media.bytes)}"

    def get_queryset(self, request: HttpRequest) -> MediaQuerySet:
        return Media.objects.visible_to(Access.to_media(_actor(request)))

    def get_form(self, request: HttpRequest, obj: Media | None = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change=change, **(kwargs if obj else {**kwargs, "form": MediaForm}))

    def get_fields(self, request: HttpRequest, obj: Media | None = None) -> Any:
        return ["alt_text", *self.readonly_fields] if obj else ["file", "alt_text"]

    def has_view_permission(self, request: HttpRequest, obj: Media | None = None) -> bool:
        return request.user.has_perm("posts.view_media", obj)

    def has_change_permission(self, request: HttpRequest, obj: Media | None = None) -> bool:
        return request.user.has_perm("posts.change_media", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Media | None = None) -> bool:
        return request.user.has_perm("posts.delete_media", obj)

    @contextmanager
    def before_the_transaction(self, request: HttpRequest) -> Iterator[None]:
        file = request.FILES.get("file")
        if file is None:
            yield
            return
        with uploads.received(file, actor=_actor(request)) as request.upload:  # type: ignore[attr-defined]
            yield

    def save_model(self, request: HttpRequest, obj: Media, form: Any, change: bool) -> None:
        user, alt_text = _actor(request), form.cleaned_data["alt_text"]
        if change:
            uploads.update_media(actor=user, media_id=obj.pk, alt_text=alt_text)
            return
        upload = uploads.add_media(actor=user, upload=request.upload, alt_text=alt_text)  # type: ignore[attr-defined]
        if not upload.is_new:
            self.message_user(request, "You had uploaded this file before: its text was left as it was.", messages.INFO)
        vars(obj).update(vars(upload.media))

    def delete_model(self, request: HttpRequest, obj: Media) -> None:
        uploads.delete_media(actor=_actor(request), media_id=obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Media]) -> None:
        for media in queryset:
            uploads.delete_media(actor=_actor(request), media_id=media.pk)


def thumbnail(media: Media) -> str:
    """The image, small."""
    address = media.sources[0].url if media.sources else media.url
    return format_html('<img src="{}" alt="{}" style="max-height: 80px; max-width: 160px">', address, media.alt_text)
