"""The admin pages beside those of Django: renaming tags, and the revisions of a post."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from blogsite.errors import BlogError
from posts import services
from posts.admin.forms import RenameTagForm
from posts.admin.owned import OwnedAdmin
from posts.content.revision_diff import revision_changes
from posts.models import Post, PostTag

REVISIONS_PER_PAGE = 20
TAGS_PER_PAGE = 200


def tags(admin: OwnedAdmin[Post], request: HttpRequest) -> HttpResponse:
    """List all tags; a POST renames one in all posts, or merges it into another. Only for editors and admins."""
    actor = admin.actor(request)
    if not actor.is_editor:
        raise PermissionDenied
    form = RenameTagForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        count = services.rename_tag(actor=actor, **form.cleaned_data)
        message = "Renamed {old} to {new} in {count} posts.".format(**form.cleaned_data, count=count)
        admin.message_user(request, message, messages.SUCCESS)
        return HttpResponseRedirect(request.path)
    page = Paginator(PostTag.objects.counted().order_by("name"), TAGS_PER_PAGE).get_page(request.GET.get("p"))
    return _page(admin, request, "tags", title="Rename and merge tags", form=form, page=page)


def revisions(admin: OwnedAdmin[Post], request: HttpRequest, post_id: int) -> HttpResponse:
    """List what each revision of the post changed, newest first; a POST with a `version` reverts to that revision."""
    post = admin.get_object(request, str(post_id))
    if post is None or not admin.has_change_permission(request, post):
        raise PermissionDenied
    if request.method == "POST" and (version := request.POST.get("version", "")).isdecimal():
        try:
            services.revert_post(actor=admin.actor(request), post_id=post_id, version=int(version))
            admin.message_user(request, f"Reverted to version {version}.", messages.SUCCESS)
        except BlogError as error:
            admin.message_user(request, error.detail, messages.ERROR)
        return HttpResponseRedirect(request.path)
    newest_first = post.revisions.with_editor().order_by("-version")
    page = Paginator(newest_first, REVISIONS_PER_PAGE).get_page(request.GET.get("p"))
    listed = list(page.object_list)
    # The oldest revision on the page is compared with the first one of the next page.
    previous = newest_first.filter(version__lt=listed[-1].version)[:1] if listed else []
    changes = revision_changes([*listed, *previous])[: len(listed)]
    title = f"Revisions: {post.title}"
    return _page(admin, request, "revisions", title=title, original=post, page=page, changes=changes)


def _page(admin: OwnedAdmin[Post], request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    context = {**admin.admin_site.each_context(request), "opts": admin.opts, **context}
    return TemplateResponse(request, f"admin/posts/post/{template}.html", context)
