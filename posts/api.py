"""The operations on posts, tags and authors."""

from dataclasses import replace

from asgiref.sync import sync_to_async
from django.http import HttpResponse
from django.urls import reverse
from ninja import Path, Query, Router, Status

from accounts.auth import ANYBODY, USER, UserRequest, ViewerRequest
from accounts.schemas import Username
from blogsite.pagination import Order, paginate
from blogsite.schemas import Id, PageQuery, problems
from posts import services
from posts.models import Post, PostStatus, PostTag, public_authors
from posts.schemas import (
    AuthorOut,
    AuthorPage,
    PostCreate,
    PostFilters,
    PostOut,
    PostPage,
    PostSummary,
    PostUpdate,
    Publication,
    SlugAsked,
    TagFilters,
    TagName,
    TagOut,
    TagPage,
)

ORDERS = {
    "-published_at": Order("-published_at", keys=("published_at", "id"), descending=True, nullable=True),
    "published_at": Order("published_at", keys=("published_at", "id"), nullable=True),
    "-updated_at": Order("-updated_at", keys=("updated_at", "id"), descending=True),
    "title": Order("title", keys=("title", "id")),
}
BY_NAME = Order("name", keys=("name",))
BY_USERNAME = Order("username", keys=("username", "id"))

posts = Router(tags=["posts"])
tags = Router(tags=["tags"], auth=ANYBODY)
authors = Router(tags=["authors"], auth=ANYBODY)


@posts.get("", auth=ANYBODY, response=PostPage, summary="List posts")
async def list_posts(request: ViewerRequest, filters: Query[PostFilters]) -> PostPage:
    """Newest first, and only what the caller may see."""
    found = Post.objects.visible_to(request.auth, filters.status).matching(**filters.conditions())
    schema, rows = (PostOut, found.with_content()) if filters.include else (PostSummary, found.with_summary())
    page = await paginate(rows, order=_order(filters), query=filters)
    count = await found.acount() if filters.count else None
    items = [schema.model_validate(post) for post in page.items]
    return PostPage.model_construct(items=items, next=page.next, count=count)  # of what is valid already


@posts.post("", auth=USER, response={201: PostOut, **problems(403, 409)}, summary="Write a post")
async def create_post(request: UserRequest, response: HttpResponse, payload: PostCreate) -> Status[PostOut]:
    """For authors, editors and admins. `published` makes it public, now or at `published_at`."""
    post = await sync_to_async(services.create_post)(actor=request.auth, **payload.model_dump())
    response["Location"] = request.build_absolute_uri(reverse("api:get_post", kwargs={"post_id": post.pk}))
    return Status(201, PostOut.model_validate(post))


@posts.get("/{int:post_id}", auth=ANYBODY, response={200: PostOut, **problems(404)}, summary="Read a post")
async def get_post(request: ViewerRequest, post_id: Path[Id]) -> PostOut:
    return PostOut.model_validate(await Post.objects.visible_to(request.auth).with_content().aget(pk=post_id))


@posts.get("/by-slug/{slug}", auth=ANYBODY, response={200: PostOut, **problems(404)}, summary="Read a post by its slug")
async def get_post_by_slug(request: ViewerRequest, slug: Path[SlugAsked]) -> PostOut:
    return PostOut.model_validate(await Post.objects.visible_to(request.auth).with_content().aget(slug=slug))


@posts.patch("/{int:post_id}", auth=USER, response={200: PostOut, **problems(403, 404, 409)}, summary="Change a post")
async def update_post(request: UserRequest, post_id: Path[Id], payload: PostUpdate | None = None) -> PostOut:
    """A JSON merge patch: what is absent stays."""
    changes = payload.model_dump(exclude_unset=True) if payload else {}
    post = await sync_to_async(services.update_post)(actor=request.auth, post_id=post_id, changes=changes)
    return PostOut.model_validate(post)


@posts.delete("/{int:post_id}", auth=USER, response={204: None, **problems(403, 404)}, summary="Delete a post")
async def delete_post(request: UserRequest, post_id: Path[Id]) -> Status[None]:
    await sync_to_async(services.delete_post)(actor=request.auth, post_id=post_id)
    return Status(204, None)


@posts.post(
    "/{int:post_id}/publish", auth=USER, response={200: PostOut, **problems(403, 404)}, summary="Publish a post"
)
async def publish_post(request: UserRequest, post_id: Path[Id], payload: Publication | None = None) -> PostOut:
    """Now, or at `published_at`: a time in the future schedules the post. A post with a time in the past keeps it."""
    published_at = payload.published_at if payload else None
    post = await sync_to_async(services.publish_post)(actor=request.auth, post_id=post_id, published_at=published_at)
    return PostOut.model_validate(post)


@posts.post(
    "/{int:post_id}/unpublish", auth=USER, response={200: PostOut, **problems(403, 404)}, summary="Unpublish a post"
)
async def unpublish_post(request: UserRequest, post_id: Path[Id]) -> PostOut:
    """The post is a draft again, and keeps its time."""
    return PostOut.model_validate(await sync_to_async(services.unpublish_post)(actor=request.auth, post_id=post_id))


@tags.get("", response=TagPage, summary="List tags")
async def list_tags(request: ViewerRequest, filters: Query[TagFilters]) -> TagPage:
    """The tags of public posts, by name."""
    found = PostTag.objects.public().starting_with(filters.q or "").counted()
    return TagPage.model_validate(await paginate(found, order=BY_NAME, query=filters))


@tags.get("/{path:tag}", response={200: TagOut, **problems(404)}, summary="Read a tag")
async def get_tag(request: ViewerRequest, tag: Path[TagName]) -> TagOut:
    return TagOut.model_validate(await PostTag.objects.public().filter(name=tag).counted().aget())


@authors.get("", response=AuthorPage, summary="List authors")
async def list_authors(request: ViewerRequest, query: Query[PageQuery]) -> AuthorPage:
    """The users who have public posts, by username."""
    return AuthorPage.model_validate(await paginate(public_authors(), order=BY_USERNAME, query=query))


@authors.get("/{username}", response={200: AuthorOut, **problems(404)}, summary="Read an author")
async def get_author(request: ViewerRequest, username: Path[Username]) -> AuthorOut:
    """In any case of letters."""
    return AuthorOut.model_validate(await public_authors().named(username).aget())


def _order(filters: PostFilters) -> Order:
    always_timed = filters.status in (PostStatus.PUBLISHED, PostStatus.SCHEDULED)
    order = ORDERS[filters.sort or ("-published_at" if always_timed else "-updated_at")]
    # Without nulls the condition of the cursor is one comparison, which an index serves.
    return replace(order, nullable=False) if always_timed else order
