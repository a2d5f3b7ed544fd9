"""The operations on posts."""

from collections.abc import Callable
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Path, Query, Router, Status

from accounts.authentication import ANYBODY, USER, UserRequest, ViewerRequest
from accounts.idempotency import done_once
from blogsite.db.keyset import Slice
from blogsite.errors import Stale
from blogsite.http.openapi import IDEMPOTENCY_KEY
from blogsite.http.pagination import Page, fetch_page
from blogsite.http.responses import PRIVATE, etag, if_match, json_response, render
from blogsite.http.schemas import Id, problems
from posts import preview_links, queries, services
from posts.access import Access
from posts.models import Post
from posts.schemas import (
    PostCreate,
    PostFilters,
    PostOut,
    PostPage,
    PostSummary,
    PostUpdate,
    PreviewLink,
    PreviewToken,
    Publication,
    RequestedSlug,
)

SEARCH_CANDIDATE_PAGES = 3
CHANGE_PROBLEMS = problems(403, 404, 409, 412)
CHANGED_POST = {200: PostOut, **CHANGE_PROBLEMS}
FOUND_POST = {200: PostOut, **problems(404)}

router = Router(tags=["posts"])


@router.get("", auth=ANYBODY, response=PostPage, summary="List posts")
async def list_posts(request: ViewerRequest, response: HttpResponse, filters: Query[PostFilters]) -> HttpResponse:
    """Lists the posts that the caller may see: newest first by default, or the best match first with `q`."""
    access = Access.to_posts(request.auth)
    selection = filters.selection()
    page = await _fetch_posts(access, selection, filters)
    count = {"count": await queries.posts(access, selection).acount()} if filters.count else {}
    schema = PostOut if selection.with_content else PostSummary
    items = [schema.model_validate(post) for post in page.items]
    return json_response(request, {"items": items, "next": page.next, **count}, response=response)


@router.post(
    "", auth=USER, response={201: PostOut, **problems(403, 409)}, summary="Create a post", openapi_extra=IDEMPOTENCY_KEY
)
async def create_post(request: UserRequest, response: HttpResponse, payload: PostCreate) -> HttpResponse:
    """Authors, editors and admins may create posts. `published` makes the post public, now or at `published_at`.

    A repetition of the request with the same `Idempotency-Key` within 24 hours gets the first response; another
    request with the same key is an error.
    """
    create = partial(services.create_post, actor=request.auth, **payload.model_dump())
    created = await done_once(request, create, PostOut)
    response.status_code = 201
    response["Location"] = request.build_absolute_uri(reverse("api:get_post", kwargs={"post_id": created.id}))
    return json_response(request, created, version=created.version, response=response)


@router.get("/{int:post_id}", auth=ANYBODY, response=FOUND_POST, summary="Get a post")
async def get_post(request: ViewerRequest, response: HttpResponse, post_id: Path[Id]) -> HttpResponse:
    post = await queries.post_by_id(Access.to_posts(request.auth), post_id).aget()
    return _post_response(request, post, response)


@router.get("/by-slug/{slug}", auth=ANYBODY, response={308: None, **FOUND_POST}, summary="Get a post by its slug")
async def get_post_by_slug(request: ViewerRequest, response: HttpResponse, slug: Path[RequestedSlug]) -> Any:
    """A former slug of the post redirects (308) to its current slug."""
    access = Access.to_posts(request.auth)
    if post := await queries.post_by_slug(access, slug).afirst():
        return _post_response(request, post, response)
    post = await queries.post_by_former_slug(access, slug).aget()
    response["Location"] = request.build_absolute_uri(reverse("api:get_post_by_slug", kwargs={"slug": post.slug}))
    return Status(308, None)


@router.get("/preview/{token}", auth=ANYBODY, response=FOUND_POST, summary="Get a post by a preview link")
async def preview_post(request: ViewerRequest, response: HttpResponse, token: Path[PreviewToken]) -> HttpResponse:
    """Anybody with a preview link may read the post until the link expires, unless the post is in the trash."""
    post = await queries.post_for_preview(preview_links.read(token)).aget()
    response["Cache-Control"] = PRIVATE
    return _post_response(request, post, response)


@router.post(
    "/{int:post_id}/preview-link",
    auth=USER,
    response={201: PreviewLink, **problems(403, 404, 409)},
    summary="Create a preview link",
)
async def create_preview_link(request: UserRequest, post_id: Path[Id]) -> Status[PreviewLink]:
    """The link is valid for seven days. It also shows changes that are made to the post in the meantime."""
    await sync_to_async(services.require_change_permission)(actor=request.auth, post_id=post_id)
    link = preview_links.make(post_id)
    url = settings.BLOG_URL + reverse("api:preview_post", kwargs={"token": link.token})
    return Status(201, PreviewLink(url=url, expires_at=link.expires_at))


@router.patch("/{int:post_id}", auth=USER, response=CHANGED_POST, summary="Update a post")
async def update_post(request: UserRequest, post_id: Path[Id], payload: PostUpdate | None = None) -> HttpResponse:
    """A JSON merge patch: absent fields keep their values.

    With the `ETag` of the post in `If-Match`, the request fails (412) if somebody else has changed the post.
    """
    changes = payload.model_dump(exclude_unset=True) if payload else {}
    return _post_response(request, await _change(request, services.update_post, post_id=post_id, changes=changes))


@router.delete("/{int:post_id}", auth=USER, response={204: None, **CHANGE_PROBLEMS}, summary="Move a post to the trash")
async def delete_post(request: UserRequest, post_id: Path[Id]) -> Status[None]:
    """The post can be restored until `manage.py purge_trash` deletes it."""
    await _change(request, services.trash_post, post_id=post_id)
    return Status(204, None)


@router.post("/{int:post_id}/restore", auth=USER, response=CHANGED_POST, summary="Restore a post from the trash")
async def restore_post(request: UserRequest, post_id: Path[Id]) -> HttpResponse:
    """Restores the post to the state that it had before it was moved to the trash."""
    return _post_response(request, await _change(request, services.restore_post, post_id=post_id))


@router.post("/{int:post_id}/publish", auth=USER, response=CHANGED_POST, summary="Publish a post")
async def publish_post(request: UserRequest, post_id: Path[Id], payload: Publication | None = None) -> HttpResponse:
    """Publishes the post now or at `published_at`; a time in the future schedules it.

    Without `published_at`, the post keeps its own time if that is in the past, and is otherwise published now.
    """
    published_at = payload.published_at if payload else None
    post = await _change(request, services.publish_post, post_id=post_id, published_at=published_at)
    return _post_response(request, post)


@router.post("/{int:post_id}/unpublish", auth=USER, response=CHANGED_POST, summary="Unpublish a post")
async def unpublish_post(request: UserRequest, post_id: Path[Id]) -> HttpResponse:
    """Makes the post a draft. It keeps its `published_at`."""
    return _post_response(request, await _change(request, services.unpublish_post, post_id=post_id))


@router.post(
    "/{int:post_id}/revisions/{int:version}/revert",
    auth=USER,
    response=CHANGED_POST,
    summary="Revert to a revision",
)
async def revert_post(request: UserRequest, post_id: Path[Id], version: Path[Id]) -> HttpResponse:
    """Creates a new version with the title, content, excerpt, tags, slug and cover image of the revision.

    Whether and when the post is published does not change.
    """
    return _post_response(request, await _change(request, services.revert_post, post_id=post_id, version=version))


async def _fetch_posts(access: Access, selection: queries.PostSelection, filters: PostFilters) -> Page[Post]:
    order = queries.post_order(selection, filters.sort)
    if order is queries.BEST_MATCH_FIRST:
        # Looking up all matches is slow if there are many. The best of them are tried first: if they fill the page and
        # more follow, the page is the same as that of all matches.
        candidates = Slice(order, SEARCH_CANDIDATE_PAGES * filters.limit)
        page = await fetch_page(queries.best_matches(access, selection, candidates), order, filters)
        if page.next:
            return page
    return await fetch_page(queries.posts(access, selection), order, filters)


async def _change(request: UserRequest, service: Callable[..., Post], **arguments: Any) -> Post:
    """Call a service with the versions that `If-Match` allows.

    Raises `Stale` with the post's current `ETag`, which a service cannot know: it depends on the response body.
    """
    try:
        return await sync_to_async(service)(actor=request.auth, versions=if_match(request), **arguments)
    except Stale as error:
        body = render(PostOut.model_validate(error.current))
        raise Stale(error.current, etag=etag(body, error.current.version)) from error


def _post_response(request: HttpRequest, post: Post, response: HttpResponse | None = None) -> HttpResponse:
    return json_response(request, PostOut.model_validate(post), version=post.version, response=response)
