"""django-ninja as its documentation shows it, on Django's own ASGI handler and middleware, and on Blogsite's models."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import jwt
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.urls import path
from django.utils import timezone
from ninja import Field, ModelSchema, NinjaAPI, Schema
from ninja.errors import HttpError
from ninja.security import HttpBearer

from accounts.models import User, Viewer
from posts.access import Access
from posts.content.markdown import render
from posts.content.slugs import slug_from
from posts.models import Post
from tests.benchmarks.peers import tokens

PAGE = 20


class AuthorSchema(ModelSchema):
    class Meta:
        model = User
        fields = ["id", "username", "full_name"]


class PostSummarySchema(ModelSchema):
    excerpt: str = Field(alias="summary")
    status: str
    author: AuthorSchema
    cover_image: None = None
    highlight: None = None

    class Meta:
        model = Post
        fields = [
            *("id", "title", "slug", "tags", "published", "published_at"),
            *("reading_minutes", "created_at", "updated_at", "version"),
        ]


class PostSchema(PostSummarySchema):
    content: str
    content_html: str


class PageSchema(Schema):
    items: list[PostSummarySchema]
    next: str | None


class PostCreate(Schema):
    title: str = Field(min_length=1, max_length=200)
    content: str = Field(max_length=1024 * 1024)
    tags: list[str] = Field([], max_length=50)
    excerpt: str = Field("", max_length=500)
    published: bool = False
    published_at: datetime | None = None


class Token(HttpBearer):
    async def authenticate(self, request: HttpRequest, token: str) -> User | None:
        try:
            return await User.objects.with_account().active().filter(pk=tokens.verify(token)).afirst()
        except jwt.InvalidTokenError:
            return None


async def anybody(request: HttpRequest) -> AnonymousUser | None:
    return None if "Authorization" in request.headers else AnonymousUser()


api = NinjaAPI(urls_namespace="stock")


@api.get("/posts", response=PageSchema)
async def list_posts(request: HttpRequest) -> dict[str, Any]:
    newest = Post.objects.published().with_summary().order_by("-published_at", "-id")
    posts = [post async for post in newest[: PAGE + 1]]
    return {"items": posts[:PAGE], "next": str(posts[PAGE - 1].pk) if len(posts) > PAGE else None}


@api.get("/posts/{int:post_id}", auth=[Token(), anybody], response=PostSchema)
async def get_post(request: HttpRequest, post_id: int) -> Post:
    viewer: Viewer = request.auth  # type: ignore[attr-defined]
    post = await Post.objects.visible_to(Access.to_posts(viewer)).with_content().filter(pk=post_id).afirst()
    if post is None:
        raise HttpError(404, "Not found")
    return post


@api.post("/posts", auth=Token(), response={201: PostSchema})
async def create_post(request: HttpRequest, payload: PostCreate) -> tuple[int, Post]:
    user: User = request.auth  # type: ignore[attr-defined]
    if not user.has_perm("posts.add_post"):
        raise HttpError(403, "Forbidden")
    fields = payload.dict()
    if payload.published and payload.published_at is None:
        fields["published_at"] = timezone.now()
    rendered = asdict(render(payload.content))
    return 201, await Post.objects.acreate(author=user, slug=slug_from(payload.title), **rendered, **fields)


urlpatterns = [path("api/v1/", api.urls)]
