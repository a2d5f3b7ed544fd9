"""What is asked about posts again and again: functions for `blogsite.db.compiled_queries`, which keeps their SQL."""

from typing import Any, cast

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from accounts.models import User, UserQuerySet, Viewer
from blogsite.db.compiled_queries import Param
from posts.models import (
    Media,
    MediaQuerySet,
    Post,
    PostQuerySet,
    PostTag,
    Revision,
    RevisionQuerySet,
    public_authors,
)

Sight = tuple[str, Param] | None
"""Who looks, as a question needs to know it: a role and an id, or None for those who see what the public sees."""


def sight_of(viewer: Viewer) -> Sight:
    """`viewer` as an argument of a question."""
    return (viewer.role, Param(viewer.pk)) if isinstance(viewer, User) and viewer.sees_unpublished else None


def post_by_id(sight: Sight, post_id: Any) -> PostQuerySet:
    return _kept(sight).with_content().filter(pk=post_id)


def post_by_slug(sight: Sight, slug: Any) -> PostQuerySet:
    return _kept(sight).with_content().filter(slug=slug)


def post_by_former_slug(sight: Sight, slug: Any) -> PostQuerySet:
    return _kept(sight).filter(former_slugs__slug=slug).only("slug", "author")


def post_for_preview(post_id: Any) -> PostQuerySet:
    return Post.objects.kept().with_content().filter(pk=post_id)


def revisions(post_id: Any) -> RevisionQuerySet:
    return Revision.objects.filter(post=post_id).with_editor()


def revision(post_id: Any, version: Any) -> RevisionQuerySet:
    return revisions(post_id).filter(version=version)


def posts(
    sight: Sight, status: str, content: bool, conditions: tuple[tuple[str, Any], ...], among: int | None = None
) -> PostQuerySet:
    """Posts of a status that meet the conditions of `PostQuerySet.matching`, with their content or without it."""
    found = Post.objects.visible_to(_viewer(sight), status).matching(**dict(conditions), among=among)
    return found.with_content() if content else found.with_summary()


def media(everything: bool, user_id: Any) -> MediaQuerySet:
    """All uploaded images, or those of a user."""
    return Media.objects.all() if everything else Media.objects.filter(author=user_id)


def one_media(everything: bool, user_id: Any, media_id: Any) -> MediaQuerySet:
    return media(everything, user_id).filter(pk=media_id)


def tags(beginning: str) -> QuerySet[PostTag, tuple[str, int]]:
    """The tags of public posts that start so, counted."""
    return PostTag.objects.public().starting_with(beginning).counted()


def tag(name: Any) -> QuerySet[PostTag, tuple[str, int]]:
    return PostTag.objects.public().filter(name=name).counted()


def newest_posts(*, tag: str | None = None, author: str | None = None) -> PostQuerySet:
    """Public posts with their content, newest first: all posts, or those of a tag or an author."""
    order = ("-tag_time", "-tag_post") if tag else ("-published_at", "-id")
    return Post.objects.published().matching(tag=[tag] if tag else [], author=author).with_content().order_by(*order)


def sitemap_posts() -> PostQuerySet:
    """Public posts, oldest first, with the columns that the sitemap needs."""
    return Post.objects.published().order_by("published_at", "id").only("slug", "published_at", "updated_at")


def authors() -> UserQuerySet:
    return public_authors()


def author(username: Any) -> UserQuerySet:
    return public_authors().named(username)


def _kept(sight: Sight) -> PostQuerySet:
    return Post.objects.visible_to(_viewer(sight)).kept()


def _viewer(sight: Sight) -> Viewer:
    return AnonymousUser() if sight is None else User(role=sight[0], pk=cast(Any, sight[1]))
