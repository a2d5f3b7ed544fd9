"""What happens to posts. Each function is one unit of work: all of it is stored, or nothing."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import User
from blogsite.constraints import explained
from blogsite.errors import BlogError, Forbidden, NotFound, SlugTaken
from posts import slugs
from posts.models import Post
from posts.rendering import render

# SQLite names a broken constraint over plain columns by its columns, PostgreSQL by its name.
_CONFLICTS: dict[str, type[BlogError]] = {"posts_post_slug_unique": SlugTaken, "posts_post.slug": SlugTaken}


def create_post(
    *,
    actor: User,
    title: str,
    content: str,
    author: User | None = None,
    tags: list[str] | None = None,
    slug: str | None = None,
    excerpt: str | None = None,
    published: bool = False,
    published_at: datetime | None = None,
) -> Post:
    """Store a new post by `author` (the actor, if None). Without a slug it gets a free one, made from the title.

    Raises `Forbidden` for who may not write, and `SlugTaken` for a slug that was given.
    """
    _require(actor, "posts.add_post")
    now = timezone.now()
    post = Post(
        author=author or actor,
        title=title,
        content=content,
        tags=tags or [],
        excerpt=excerpt or "",
        published=published,
        published_at=published_at or (now if published else None),
        created_at=now,
        updated_at=now,
        **asdict(render(content)),
    )
    if slug is not None:
        _insert(post, slug)
    else:
        _insert_with_free_slug(post)
    return post


def update_post(*, actor: User, post_id: int, changes: dict[str, Any]) -> Post:
    """Change fields of a post, and count its version up; without a difference, nothing happens.

    Publishing a draft without a time sets `published_at` to now, unless it has one in the past.
    Raises `NotFound` for what the actor may not see, `Forbidden` for what they may not change, `SlugTaken`.
    """
    changes = dict(changes)
    if "content" in changes and actor.has_perm("posts.change_post"):
        # Before the transaction: no lock of the database is held while a long text is rendered.
        changes |= asdict(render(changes["content"]))
    if "excerpt" in changes:
        changes["excerpt"] = changes["excerpt"] or ""
    with transaction.atomic():
        post = _locked(actor, post_id)
        if changes.get("published") and not post.published and "published_at" not in changes:
            changes["published_at"] = _past_or_now(post.published_at)
        if changes.get("published", post.published) and changes.get("published_at", post.published_at) is None:
            changes["published_at"] = timezone.now()
        return _store(post, changes)


def publish_post(*, actor: User, post_id: int, published_at: datetime | None = None) -> Post:
    """Publish a post at a time; a time in the future schedules it. None is now, unless it has a time in the past.

    Raises as `update_post`.
    """
    with transaction.atomic():
        post = _locked(actor, post_id)
        return _store(post, {"published": True, "published_at": published_at or _past_or_now(post.published_at)})


def unpublish_post(*, actor: User, post_id: int) -> Post:
    """Make a post a draft again. It keeps its time. Raises as `update_post`."""
    return update_post(actor=actor, post_id=post_id, changes={"published": False})


def delete_post(*, actor: User, post_id: int) -> None:
    """Delete a post. Raises `NotFound`, `Forbidden`."""
    with transaction.atomic():
        _locked(actor, post_id, permission="posts.delete_post").delete()


def _require(actor: User, permission: str, post: Post | None = None) -> None:
    if not actor.has_perm(permission, post):
        raise Forbidden("Your role does not allow this.")


def _locked(actor: User, post_id: int, permission: str = "posts.change_post") -> Post:
    post = Post.objects.visible_to(actor).with_content().select_for_update(of=("self",)).filter(pk=post_id).first()
    if post is None:
        raise NotFound("There is no such post.")
    _require(actor, permission, post)
    return post


def _store(post: Post, changes: dict[str, Any]) -> Post:
    """Write what differs, in one UPDATE."""
    changes = {name: value for name, value in changes.items() if getattr(post, name) != value}
    if not changes:
        return post
    changes |= {"updated_at": timezone.now()}
    with explained(_CONFLICTS):
        Post.objects.filter(pk=post.pk).update(version=F("version") + 1, **changes)
    for name, value in changes.items():
        setattr(post, name, value)
    post.version += 1
    return post


def _insert(post: Post, slug: str) -> None:
    post.slug = slug
    with explained(_CONFLICTS):
        post.save(force_insert=True)


def _insert_with_free_slug(post: Post) -> None:
    for slug in slugs.candidates(slugs.slug_from(post.title)):
        if not Post.objects.filter(slug=slug).exists():
            try:
                return _insert(post, slug)
            except SlugTaken:
                continue  # somebody else took it in between


def _past_or_now(moment: datetime | None) -> datetime:
    now = timezone.now()
    return moment if moment is not None and moment <= now else now
