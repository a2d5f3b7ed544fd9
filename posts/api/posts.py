"""The operations on posts, tags and authors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse
from ninja import File, Form, Path, Query, Router, Status, UploadedFile

from accounts.authentication import ANYBODY, USER, UserRequest, ViewerRequest
from accounts.idempotency import do_once, done_once
from accounts.schemas import Username
from blogsite.db import compiled_queries
from blogsite.db.compiled_queries import Param
from blogsite.errors import Stale
from blogsite.http.ninja_api import PRIVATE, etag, if_match, only_parts, render
from blogsite.http.openapi import IDEMPOTENCY_KEY
from blogsite.http.pagination import Order, Page, paginate
from blogsite.http.schemas import Id, PageQuery, problems
from posts import preview_links, queries, services
from posts.media import services as uploads
from posts.models import Post, PostStatus
from posts.queries import sight_of
from posts.schemas import (
    AuthorOut,
    AuthorPage,
    Forced,
    MediaOut,
    MediaPage,
    MediaUpdate,
    MediaUpload,
    PostCreate,
    PostFilters,
    PostOut,
    PostPage,
    PostSummary,
    PostUpdate,
    PreviewLink,
    PreviewToken,
    Publication,
    RevisionOut,
    RevisionPage,
    SlugAsked,
    TagFilters,
    TagName,
    TagOut,
    TagPage,
    UploadOut,
)

ORDERS = {
    "-published_at": Order("-published_at", keys=("published_at", "id"), descending=True, nullable=True),
    "published_at": Order("published_at", keys=("published_at", "id"), nullable=True),
    "-updated_at": Order("-updated_at", keys=("updated_at", "id"), descending=True),
    "title": Order("title", keys=("title", "id")),
}
NEWEST_ID = Order("-id", keys=("id",), descending=True)
NEWEST_VERSION = Order("-version", keys=("version",), descending=True)
BEST_PAGES = 3
BEST_MATCH = Order("rank", keys=("rank", "id"), columns=("rank", "match"))
BY_NAME = Order("name", keys=("name",))
BY_USERNAME = Order("username", keys=("username", "id"))

CHANGE = problems(403, 404, 409, 412)

posts = Router(tags=["posts"])
media = Router(tags=["media"], auth=USER)
tags = Router(tags=["tags"], auth=ANYBODY)
authors = Router(tags=["authors"], auth=ANYBODY)


@posts.get("", auth=ANYBODY, response=PostPage, summary="List posts")
async def list_posts(request: ViewerRequest, filters: Query[PostFilters]) -> PostPage:
    """Newest first, and only what the caller may see."""
    asked = sight_of(request.auth), filters.status, filters.include == "content", filters.conditions()
    page = await _page(filters, asked)
    count = await compiled_queries.count(queries.posts, *asked) if filters.count else None
    schema = PostOut if filters.include else PostSummary
    fields = {"items": [schema.fields_of(post) for post in page.items], "next": page.next}
    return PostPage.trusted(fields if count is None else fields | {"count": count})


@posts.post(
    "", auth=USER, response={201: PostOut, **problems(403, 409)}, summary="Write a post", openapi_extra=IDEMPOTENCY_KEY
)
async def create_post(request: UserRequest, response: HttpResponse, payload: PostCreate) -> Status[PostOut]:
    """For authors, editors and admins. `published` makes it public, now or at `published_at`.

    With an `Idempotency-Key`, the same request can be sent again within 24 hours and gets the first answer.
    """
    create = partial(services.create_post, actor=request.auth, **payload.model_dump())
    post = await done_once(request, create, PostOut)
    response["Location"] = request.build_absolute_uri(reverse("api:get_post", kwargs={"post_id": post.id}))
    return Status(201, post)


@posts.get("/{int:post_id}", auth=ANYBODY, response={200: PostOut, **problems(404)}, summary="Read a post")
async def get_post(request: ViewerRequest, post_id: Path[Id]) -> PostOut:
    post = await compiled_queries.one(queries.post_by_id, sight_of(request.auth), Param(post_id))
    return PostOut.of(post)


@posts.get(
    "/by-slug/{slug}",
    auth=ANYBODY,
    response={200: PostOut, 308: None, **problems(404)},
    summary="Read a post by its slug",
)
async def get_post_by_slug(request: ViewerRequest, response: HttpResponse, slug: Path[SlugAsked]) -> Any:
    """A slug that the post had before is answered with 308, to its present one."""
    sight = sight_of(request.auth)
    if found := await compiled_queries.rows(queries.post_by_slug, sight, Param(slug)):
        return PostOut.of(found[0])
    post = await compiled_queries.one(queries.post_by_former_slug, sight, Param(slug))
    response["Location"] = request.build_absolute_uri(reverse("api:get_post_by_slug", kwargs={"slug": post.slug}))
    return Status(308, None)


@posts.get(
    "/preview/{token}",
    auth=ANYBODY,
    response={200: PostOut, **problems(404)},
    summary="Read a post by a preview link",
)
async def preview_post(request: ViewerRequest, response: HttpResponse, token: Path[PreviewToken]) -> PostOut:
    """A post of any state but the trash, for whoever has the link, until the link expires."""
    response["Cache-Control"] = PRIVATE
    return PostOut.of(await compiled_queries.one(queries.post_for_preview, Param(preview_links.read(token))))


@posts.post(
    "/{int:post_id}/preview-link",
    auth=USER,
    response={201: PreviewLink, **problems(403, 404, 409)},
    summary="Make a preview link",
)
async def create_preview_link(request: UserRequest, post_id: Path[Id]) -> Status[PreviewLink]:
    """It is good for seven days, and shows the post as it is when it is read."""
    await sync_to_async(services.require_change)(actor=request.auth, post_id=post_id)
    link = preview_links.make(post_id)
    address = settings.BLOG_URL + reverse("api:preview_post", kwargs={"token": link.token})
    return Status(201, PreviewLink.trusted({"url": address, "expires_at": link.expires_at}))


@posts.patch("/{int:post_id}", auth=USER, response={200: PostOut, **CHANGE}, summary="Change a post")
async def update_post(request: UserRequest, post_id: Path[Id], payload: PostUpdate | None = None) -> PostOut:
    """A JSON merge patch: what is absent stays. `If-Match` refuses to overwrite what somebody else changed."""
    changes = payload.model_dump(exclude_unset=True) if payload else {}
    return await _changed(request, services.update_post, post_id=post_id, changes=changes)


@posts.delete(
    "/{int:post_id}",
    auth=USER,
    response={204: None, **CHANGE},
    summary="Put a post into the trash",
)
async def delete_post(request: UserRequest, post_id: Path[Id]) -> Status[None]:
    """It can be restored, until the trash is emptied."""
    with _current_etag():
        trash = sync_to_async(services.trash_post)
        await trash(actor=request.auth, post_id=post_id, versions=if_match(request))
    return Status(204, None)


@posts.post(
    "/{int:post_id}/restore",
    auth=USER,
    response={200: PostOut, **CHANGE},
    summary="Restore a post",
)
async def restore_post(request: UserRequest, post_id: Path[Id]) -> PostOut:
    """It is again what it was."""
    return await _changed(request, services.restore_post, post_id=post_id)


@posts.post(
    "/{int:post_id}/publish",
    auth=USER,
    response={200: PostOut, **CHANGE},
    summary="Publish a post",
)
async def publish_post(request: UserRequest, post_id: Path[Id], payload: Publication | None = None) -> PostOut:
    """Now, or at `published_at`: a time in the future schedules the post. A post with a time in the past keeps it."""
    published_at = payload.published_at if payload else None
    return await _changed(request, services.publish_post, post_id=post_id, published_at=published_at)


@posts.post(
    "/{int:post_id}/unpublish",
    auth=USER,
    response={200: PostOut, **CHANGE},
    summary="Unpublish a post",
)
async def unpublish_post(request: UserRequest, post_id: Path[Id]) -> PostOut:
    """The post is a draft again, and keeps its time."""
    return await _changed(request, services.unpublish_post, post_id=post_id)


@posts.get(
    "/{int:post_id}/revisions", auth=USER, response={200: RevisionPage, **problems(403, 404)}, summary="List revisions"
)
async def list_revisions(request: UserRequest, post_id: Path[Id], query: Query[PageQuery]) -> RevisionPage:
    """The newest first. For those who may change the post."""
    await sync_to_async(services.require_change)(actor=request.auth, post_id=post_id)
    return RevisionPage.of(await paginate(queries.revisions, Param(post_id), order=NEWEST_VERSION, query=query))


@posts.get(
    "/{int:post_id}/revisions/{int:version}",
    auth=USER,
    response={200: RevisionOut, **problems(403, 404)},
    summary="Read a revision",
)
async def get_revision(request: UserRequest, post_id: Path[Id], version: Path[Id]) -> RevisionOut:
    """The post as it was after that change."""
    await sync_to_async(services.require_change)(actor=request.auth, post_id=post_id)
    return RevisionOut.of(await compiled_queries.one(queries.revision, Param(post_id), Param(version)))


@posts.post(
    "/{int:post_id}/revisions/{int:version}/revert",
    auth=USER,
    response={200: PostOut, **CHANGE},
    summary="Revert to a revision",
)
async def revert_post(request: UserRequest, post_id: Path[Id], version: Path[Id]) -> PostOut:
    """Texts, tags, slug and cover image become what they were, as a new version. What is public stays so."""
    return await _changed(request, services.revert_post, post_id=post_id, version=version)


@media.get("", response=MediaPage, summary="List media")
async def list_media(request: UserRequest, query: Query[PageQuery]) -> MediaPage:
    """The caller's own images, the newest first; all, for editors and admins."""
    asked = request.auth.is_editor, Param(request.auth.pk)
    return MediaPage.of(await paginate(queries.media, *asked, order=NEWEST_ID, query=query))


@media.post(
    "",
    response={200: MediaOut, 201: MediaOut, **problems(403, 409, 411)},
    summary="Upload an image",
    openapi_extra=IDEMPOTENCY_KEY,
)
async def upload_media(
    request: UserRequest, response: HttpResponse, file: File[UploadedFile], payload: Form[MediaUpload]
) -> Status[MediaOut]:
    """JPEG, PNG, WebP or GIF, up to 10 MiB and 40 megapixels; it is written anew, without metadata.

    For authors, editors and admins. The same bytes again are answered with 200 and the first image. Files are public:
    whoever has the address sees them, also before a post that shows them is published.
    """
    only_parts(request, texts={"alt_text"}, files={"file"})
    done = await sync_to_async(_upload)(request, file, payload.alt_text)
    media = MediaOut.trusted(vars(done)["media"])
    response["Location"] = request.build_absolute_uri(reverse("api:get_media", kwargs={"media_id": media.id}))
    return Status(201 if done.is_new else 200, media)


@media.get("/{int:media_id}", response={200: MediaOut, **problems(404)}, summary="Read about an image")
async def get_media(request: UserRequest, media_id: Path[Id]) -> MediaOut:
    found = queries.one_media, request.auth.is_editor, Param(request.auth.pk), Param(media_id)
    return MediaOut.of(await compiled_queries.one(*found))


@media.patch("/{int:media_id}", response={200: MediaOut, **problems(403, 404)}, summary="Change the text of an image")
async def update_media(request: UserRequest, media_id: Path[Id], payload: MediaUpdate | None = None) -> MediaOut:
    changes = payload.model_dump(exclude_unset=True) if payload else {}
    return MediaOut.of(await sync_to_async(uploads.update_media)(actor=request.auth, media_id=media_id, **changes))


@media.delete("/{int:media_id}", response={204: None, **problems(403, 404, 409)}, summary="Delete an image")
async def delete_media(request: UserRequest, media_id: Path[Id], query: Query[Forced]) -> Status[None]:
    """Refused while a post uses it, as its cover image or in its text, also from the trash, unless `force` is true.

    Then posts and their revisions lose the cover image; texts keep the address.
    """
    await sync_to_async(uploads.delete_media)(actor=request.auth, media_id=media_id, force=query.force)
    return Status(204, None)


@tags.get("", response=TagPage, summary="List tags")
async def list_tags(request: ViewerRequest, filters: Query[TagFilters]) -> TagPage:
    """The tags of public posts, by name."""
    return TagPage.of(await paginate(queries.tags, filters.q or "", order=BY_NAME, query=filters))


@tags.get("/{path:tag}", response={200: TagOut, **problems(404)}, summary="Read a tag")
async def get_tag(request: ViewerRequest, tag: Path[TagName]) -> TagOut:
    return TagOut.of(await compiled_queries.one(queries.tag, Param(tag)))


@authors.get("", response=AuthorPage, summary="List authors")
async def list_authors(request: ViewerRequest, query: Query[PageQuery]) -> AuthorPage:
    """The users who have public posts, by username."""
    return AuthorPage.of(await paginate(queries.authors, order=BY_USERNAME, query=query))


@authors.get("/{username}", response={200: AuthorOut, **problems(404)}, summary="Read an author")
async def get_author(request: ViewerRequest, username: Path[Username]) -> AuthorOut:
    """In any case of letters."""
    return AuthorOut.of(await compiled_queries.one(queries.author, Param(username)))


async def _page(filters: PostFilters, asked: tuple[Any, ...]) -> Page:
    order = _order(filters)
    if order is BEST_MATCH:
        # To sort all that match is much of the work where many do, and to fill a page the best are often enough.
        page = await paginate(queries.posts, *asked, BEST_PAGES * filters.limit, order=order, query=filters)
        if page.next:
            return page
    return await paginate(queries.posts, *asked, order=order, query=filters)


def _upload(request: UserRequest, file: UploadedFile, alt_text: str) -> UploadOut:
    with uploads.received_upload(file, actor=request.auth) as upload:
        add = partial(uploads.add_media, actor=request.auth, upload=upload, alt_text=alt_text)
        sent = f"{upload.media.sha256} {alt_text}".encode()  # the body has a boundary that is never the same
        return do_once(request, add, UploadOut, body=sent)


def _order(filters: PostFilters) -> Order:
    always_timed = filters.status in (PostStatus.PUBLISHED, PostStatus.SCHEDULED)
    if filters.q and not filters.sort:
        return BEST_MATCH
    order = ORDERS[filters.sort or ("-published_at" if always_timed else "-updated_at")]
    if not always_timed:
        return order
    # Without nulls the condition of the cursor is one comparison, which an index serves.
    by_tag = ("tag_time", "tag_post") if filters.tag and order.keys == ("published_at", "id") else ()
    return replace(order, nullable=False, columns=by_tag)


async def _changed(request: UserRequest, change: Callable[..., Post], **arguments: Any) -> PostOut:
    """Do a service's change, if `If-Match` lets it be done."""
    with _current_etag():
        post = await sync_to_async(change)(actor=request.auth, versions=if_match(request), **arguments)
    return PostOut.of(post)


@contextmanager
def _current_etag() -> Iterator[None]:
    """Let a refusal by `If-Match` say what the post's `ETag` is now."""
    try:
        yield
    except Stale as error:
        error.etag = etag(render(PostOut.of(error.current)), error.current.version)
        raise
