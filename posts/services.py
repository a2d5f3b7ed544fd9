"""The changes of posts. Each function is one transaction: it stores everything or nothing.

Every change increments the version in one conditional UPDATE, and stores a revision that records who made the change.
`versions` are the versions that the client accepts as the current one (`If-Match`); None sets no condition.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from blogsite.db.constraints import translate_integrity_errors
from blogsite.errors import BlogError, FieldError, Forbidden, Invalid, NotFound, SlugTaken, Stale
from posts.access import Access
from posts.content import slugs
from posts.content.markdown import render
from posts.models import FormerSlug, Media, Post, PostQuerySet, Revision

# SQLite names a violated constraint over plain columns by these columns, PostgreSQL by its name.
_CONFLICTS: dict[str, type[BlogError]] = {"posts_post_slug_unique": SlugTaken, "posts_post.slug": SlugTaken}
_REVISION_FIELDS = ("title", "slug", "excerpt", "content", "tags", "published", "published_at", "cover_image_id")
_REVERTED_FIELDS = ("title", "slug", "excerpt", "content", "tags", "cover_image")

Versions = Collection[int] | None


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
    cover_image_id: int | None = None,
) -> Post:
    """Store a new post by `author`, by default the actor. Without a slug, it gets a free one made from the title.

    Raises `Forbidden` if the actor may not create posts, `SlugTaken` if another post has the given slug, and `Invalid`
    for an image that the actor may not use.
    """
    require_permission(actor, "posts.add_post")
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
    with transaction.atomic():
        post.cover_image = _usable_image(actor, cover_image_id)
        if slug is not None:
            _insert(post, slug)
        else:
            _insert_with_free_slug(post)
        _add_revision(post, actor)
    return post


@transaction.atomic
def bulk_create_posts(posts: Sequence[Post]) -> None:
    """Store posts in bulk, each with its first revision, which names the author as its editor."""
    stored = Post.objects.bulk_create(posts)
    Revision.objects.bulk_create(_revision_of(post, post.author) for post in stored)


def update_post(*, actor: User, post_id: int, changes: dict[str, Any], versions: Versions = None) -> Post:
    """Change fields of a post. If no value differs, nothing is stored.

    Publishing a draft without a time sets `published_at` to now, unless the post has a time in the past.
    Raises `NotFound` if the post is in the trash or the actor may not see it, `Forbidden` if they may not change it,
    `Stale`, `SlugTaken`, and `Invalid` for an image that they may not use.
    """
    changes = dict(changes)
    if "content" in changes and actor.has_perm("posts.change_post"):
        # Before the transaction, so that no database lock is held while long content is rendered.
        changes |= asdict(render(changes["content"]))
    if "excerpt" in changes:
        changes["excerpt"] = changes["excerpt"] or ""
    with transaction.atomic():
        post = _lock(actor, post_id, versions)
        if "cover_image_id" in changes:
            chosen = changes.pop("cover_image_id")
            changes["cover_image"] = post.cover_image if chosen == post.cover_image_id else _usable_image(actor, chosen)
        elif changes.get("cover_image"):
            changes["cover_image"] = _lock_image(changes["cover_image"].pk)
        if changes.get("published") and not post.published and "published_at" not in changes:
            changes["published_at"] = _past_or_now(post.published_at)
        if changes.get("published", post.published) and changes.get("published_at", post.published_at) is None:
            changes["published_at"] = timezone.now()
        return _save_changes(post, changes, actor)


def publish_post(*, actor: User, post_id: int, published_at: datetime | None = None, versions: Versions = None) -> Post:
    """Publish a post at a time; a time in the future schedules it.

    Without a time, the post keeps its own if that is in the past, and is otherwise published now.
    Raises the same errors as `update_post`.
    """
    with transaction.atomic():
        post = _lock(actor, post_id, versions)
        changes = {"published": True, "published_at": published_at or _past_or_now(post.published_at)}
        return _save_changes(post, changes, actor)


def unpublish_post(*, actor: User, post_id: int, versions: Versions = None) -> Post:
    """Make a post a draft. It keeps its `published_at`. Raises the same errors as `update_post`."""
    return update_post(actor=actor, post_id=post_id, changes={"published": False}, versions=versions)


def trash_post(*, actor: User, post_id: int, versions: Versions = None) -> Post:
    """Move a post to the trash, from which it can be restored. Raises the same errors as `update_post`."""
    with transaction.atomic():
        post = _lock(actor, post_id, versions, permission="posts.delete_post")
        return _save_changes(post, {"trashed_at": timezone.now()}, actor)


def restore_post(*, actor: User, post_id: int, versions: Versions = None) -> Post:
    """Restore a post from the trash. It gets another slug if a post has taken its own.

    Raises the same errors as `update_post`.
    """
    with transaction.atomic():
        post = _lock(actor, post_id, versions, among=Post.objects.all())
        others = Post.objects.not_trashed().exclude(pk=post_id)
        free = (slug for slug in slugs.candidates(post.slug) if not others.filter(slug=slug).exists())
        return _save_changes(post, {"trashed_at": None, "slug": next(free)}, actor)


def revert_post(*, actor: User, post_id: int, version: int, versions: Versions = None) -> Post:
    """Give a post the title, content, excerpt, tags, slug and cover image of one of its revisions, as a new version.

    Whether and when the post is published does not change. Raises the same errors as `update_post`.
    """
    revision = Revision.objects.select_related("cover_image").filter(post=post_id, version=version).first()
    if revision is None:
        raise NotFound("There is no such post, or no such revision of it.")
    changes = {name: getattr(revision, name) for name in _REVERTED_FIELDS}
    return update_post(actor=actor, post_id=post_id, changes=changes, versions=versions)


def require_change_permission(*, actor: User, post_id: int) -> None:
    """Raise `NotFound` if the actor may not see the post, and `Forbidden` if they may not change it."""
    _get_permitted(actor, post_id, Post.objects.not_trashed().with_summary(), "posts.change_post")


@transaction.atomic
def rename_tag(*, actor: User, old: str, new: str) -> int:
    """Replace the tag `old` by `new` in all posts. If `new` exists already, the two tags are merged.

    Each changed post gets a new version. Returns the number of changed posts. Raises `Forbidden`.
    """
    if not actor.is_editor:
        raise Forbidden("Your role does not allow this.")
    tagged = Post.objects.with_content().filter(tag_index__name=old).select_for_update(of=("self",)).order_by("pk")
    posts = list(tagged)
    for post in posts:
        _save_changes(post, {"tags": list(dict.fromkeys(new if tag == old else tag for tag in post.tags))}, actor)
    return len(posts)


def remove_cover_image(*, actor: User, media: Media) -> None:
    """Remove an image from all posts that have it as their cover, also trashed ones. Each gets a new version."""
    with transaction.atomic():
        for post in media.posts.with_content().select_for_update(of=("self",)).order_by("pk"):
            _save_changes(post, {"cover_image": None}, actor)


def purge_trash(*, older_than: timedelta) -> int:
    """Delete the posts that have been in the trash for longer than `older_than`. Returns their number."""
    old = Post.objects.filter(trashed_at__lt=timezone.now() - older_than)
    with transaction.atomic():
        return old.delete()[1].get("posts.Post", 0)


def require_permission(actor: User, permission: str, obj: Post | Media | None = None) -> None:
    """Raise `Forbidden` if the actor does not have the permission, such as `posts.change_post`."""
    if not actor.has_perm(permission, obj):
        raise Forbidden("Your role does not allow this.")


def _usable_image(actor: User, media_id: int | None) -> Media | None:
    if media_id is None:
        return None
    media = _lock_image(media_id)
    if media is None or not Media.objects.visible_to(Access.to_media(actor)).filter(pk=media_id).exists():
        message = "Must be the id of an image that you may use"
        raise Invalid(errors=[FieldError("#/cover_image_id", "media_not_found", message)])
    return media


def _lock_image(media_id: int) -> Media | None:
    """Return the image, locked so that nobody deletes it before the transaction ends, or None."""
    return Media.objects.select_for_update().filter(pk=media_id).first()


def _get_permitted(actor: User, post_id: int, posts: PostQuerySet, permission: str) -> Post:
    post = posts.visible_to(Access.to_posts(actor)).filter(pk=post_id).first()
    if post is None:
        raise NotFound("There is no such post.")
    require_permission(actor, permission, post)
    return post


def _lock(
    actor: User,
    post_id: int,
    versions: Versions,
    *,
    among: PostQuerySet | None = None,
    permission: str = "posts.change_post",
) -> Post:
    """Lock and return a post among those that are not in the trash, or among others.

    Raises `NotFound`, `Forbidden`, and `Stale` if its version is not one of `versions`.
    """
    posts = Post.objects.not_trashed() if among is None else among
    post = _get_permitted(actor, post_id, posts.with_content().select_for_update(of=("self",)), permission)
    if versions is not None and post.version not in versions:
        raise Stale(post)
    return post


def _save_changes(post: Post, changes: dict[str, Any], actor: User) -> Post:
    """Store the changes that differ, in one UPDATE of the version that was read, and add a revision."""
    changes = {name: value for name, value in changes.items() if getattr(post, name) != value}
    if not changes:
        return post
    changes |= {"updated_at": timezone.now(), "version": post.version + 1}
    with translate_integrity_errors(_CONFLICTS):
        changed = Post.objects.filter(pk=post.pk, version=post.version).update(**changes)
    if not changed:
        raise Stale(Post.objects.with_content().get(pk=post.pk))
    if "slug" in changes:
        FormerSlug.objects.filter(slug=changes["slug"]).delete()
        if post.trashed_at is None:  # a trashed post has no claim to its old slug
            FormerSlug.objects.update_or_create(slug=post.slug, defaults={"post": post})
    for name, value in changes.items():
        setattr(post, name, value)
    _add_revision(post, actor)
    return post


def _add_revision(post: Post, actor: User) -> None:
    """Store the current state of the post as a revision, and delete the oldest beyond `REVISIONS_KEEP`."""
    _revision_of(post, actor).save(force_insert=True)
    if settings.REVISIONS_KEEP is not None:
        Revision.objects.filter(post=post, version__lte=post.version - settings.REVISIONS_KEEP).delete()


def _revision_of(post: Post, editor: User) -> Revision:
    state = {name: getattr(post, name) for name in _REVISION_FIELDS}
    return Revision(post=post, version=post.version, edited_by=editor, created_at=post.updated_at, **state)


def _insert(post: Post, slug: str) -> None:
    post.slug = slug
    with translate_integrity_errors(_CONFLICTS):
        post.save(force_insert=True)
    FormerSlug.objects.filter(slug=slug).delete()


def _insert_with_free_slug(post: Post) -> None:
    current, former = Post.objects.not_trashed(), FormerSlug.objects.all()
    for slug in slugs.candidates(slugs.slug_from(post.title)):
        # Former slugs of other posts still redirect, so they are not free either.
        if not current.filter(slug=slug).exists() and not former.filter(slug=slug).exists():
            with suppress(SlugTaken):  # another request took it in between
                return _insert(post, slug)


def _past_or_now(time: datetime | None) -> datetime:
    now = timezone.now()
    return time if time is not None and time <= now else now
