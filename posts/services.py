"""What happens to posts. Each function is one unit of work: all of it is stored, or nothing.

Every change counts the version up in one conditional UPDATE, and keeps a revision that says who made it. `versions` is
what the client believes to be current (`If-Match`); None asks nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from blogsite.constraints import explained
from blogsite.errors import BlogError, FieldError, Forbidden, Invalid, NotFound, SlugTaken, Stale
from posts import slugs
from posts.content.markdown import render
from posts.models import FormerSlug, Media, Post, PostQuerySet, Revision

# SQLite names a broken constraint over plain columns by its columns, PostgreSQL by its name.
_CONFLICTS: dict[str, type[BlogError]] = {"posts_post_slug_unique": SlugTaken, "posts_post.slug": SlugTaken}
_REVISED = ("title", "slug", "excerpt", "content", "tags", "published", "published_at", "cover_image_id")
_REVERTED = ("title", "slug", "excerpt", "content", "tags", "cover_image")

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
    """Store a new post by `author` (the actor, if None). Without a slug it gets a free one, made from the title.

    Raises `Forbidden` for who may not write, `SlugTaken` for a slug that was given, and `Invalid` for an image that
    the actor may not use.
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
    with transaction.atomic():
        post.cover_image = _cover_image(actor, cover_image_id)
        if slug is not None:
            _insert(post, slug)
        else:
            _insert_with_free_slug(post)
        _revise(post, actor)
    return post


@transaction.atomic
def import_posts(posts: Sequence[Post]) -> None:
    """Store finished posts in bulk, each with its first revision, by its author."""
    stored = Post.objects.bulk_create(posts)
    Revision.objects.bulk_create(_revision_of(post, post.author) for post in stored)


def update_post(*, actor: User, post_id: int, changes: dict[str, Any], versions: Versions = None) -> Post:
    """Change fields of a post; without a difference, nothing happens.

    Publishing a draft without a time sets `published_at` to now, unless it has one in the past.
    Raises `NotFound` for what the actor may not see or is in the trash, `Forbidden` for what they may not change,
    `Stale`, `SlugTaken`, and `Invalid` for an image that they may not use.
    """
    changes = dict(changes)
    if "content" in changes and actor.has_perm("posts.change_post"):
        # Before the transaction: no lock of the database is held while a long text is rendered.
        changes |= asdict(render(changes["content"]))
    if "excerpt" in changes:
        changes["excerpt"] = changes["excerpt"] or ""
    with transaction.atomic():
        post = _locked(actor, post_id, versions)
        if "cover_image_id" in changes:
            chosen = changes.pop("cover_image_id")
            changes["cover_image"] = post.cover_image if chosen == post.cover_image_id else _cover_image(actor, chosen)
        elif changes.get("cover_image"):
            changes["cover_image"] = _kept_image(changes["cover_image"].pk)
        if changes.get("published") and not post.published and "published_at" not in changes:
            changes["published_at"] = _past_or_now(post.published_at)
        if changes.get("published", post.published) and changes.get("published_at", post.published_at) is None:
            changes["published_at"] = timezone.now()
        return _store(post, changes, actor)


def publish_post(*, actor: User, post_id: int, published_at: datetime | None = None, versions: Versions = None) -> Post:
    """Publish a post at a time; a time in the future schedules it. None is now, unless it has a time in the past.

    Raises as `update_post`.
    """
    with transaction.atomic():
        post = _locked(actor, post_id, versions)
        changes = {"published": True, "published_at": published_at or _past_or_now(post.published_at)}
        return _store(post, changes, actor)


def unpublish_post(*, actor: User, post_id: int, versions: Versions = None) -> Post:
    """Make a post a draft again. It keeps its time. Raises as `update_post`."""
    return update_post(actor=actor, post_id=post_id, changes={"published": False}, versions=versions)


def trash_post(*, actor: User, post_id: int, versions: Versions = None) -> None:
    """Put a post into the trash: it is not found any more, and can be restored. Raises as `update_post`."""
    with transaction.atomic():
        post = _locked(actor, post_id, versions, permission="posts.delete_post")
        _store(post, {"trashed_at": timezone.now()}, actor)


def restore_post(*, actor: User, post_id: int, versions: Versions = None) -> Post:
    """Take a post out of the trash, as it was; with another slug, if its own was taken. Raises as `update_post`."""
    with transaction.atomic():
        post = _locked(actor, post_id, versions, of=Post.objects.all())
        others = Post.objects.kept().exclude(pk=post_id)
        free = (slug for slug in slugs.candidates(post.slug) if not others.filter(slug=slug).exists())
        return _store(post, {"trashed_at": None, "slug": next(free)}, actor)


def revert_post(*, actor: User, post_id: int, version: int, versions: Versions = None) -> Post:
    """Give a post the texts, the tags, the slug and the cover image of one of its revisions, as a new version.

    What is public stays so: a post is published by publishing it. Raises as `update_post`.
    """
    revision = Revision.objects.select_related("cover_image").filter(post=post_id, version=version).first()
    if revision is None:
        raise NotFound("There is no such post, or no such revision of it.")
    changes = {name: getattr(revision, name) for name in _REVERTED}
    return update_post(actor=actor, post_id=post_id, changes=changes, versions=versions)


def require_change(*, actor: User, post_id: int) -> None:
    """Raise `NotFound` for a post that the actor may not see, `Forbidden` for one that they may not change."""
    _seen(actor, post_id, Post.objects.kept().with_summary(), "posts.change_post")


@transaction.atomic
def rename_tag(*, actor: User, old: str, new: str) -> int:
    """Give every post that has the tag `old` the tag `new` instead, or as well as others: a merge, if some have both.

    All posts, or none; each counts a version. Returns how many. Raises `Forbidden`.
    """
    if not actor.is_editor:
        raise Forbidden("Your role does not allow this.")
    tagged = Post.objects.with_content().filter(tag_index__name=old).select_for_update(of=("self",)).order_by("pk")
    posts = list(tagged)
    for post in posts:
        _store(post, {"tags": list(dict.fromkeys(new if tag == old else tag for tag in post.tags))}, actor)
    return len(posts)


def remove_cover_image(*, actor: User, media: Media) -> None:
    """Take an image off every post that has it as its cover, also in the trash, each in a new version."""
    with transaction.atomic():
        for post in media.posts.with_content().select_for_update(of=("self",)).order_by("pk"):
            _store(post, {"cover_image": None}, actor)


def purge_trash(*, older_than: timedelta) -> int:
    """Delete for good what has been in the trash for longer. Returns how many posts."""
    old = Post.objects.filter(trashed_at__lt=timezone.now() - older_than)
    with transaction.atomic():
        return old.delete()[1].get("posts.Post", 0)


def _cover_image(actor: User, media_id: int | None) -> Media | None:
    if media_id is None:
        return None
    media = _kept_image(media_id)
    if media is None or not Media.objects.visible_to(actor).filter(pk=media_id).exists():
        message = "Must be the id of an image that you may use"
        raise Invalid(errors=[FieldError("#/cover_image_id", "media_not_found", message)])
    return media


def _kept_image(media_id: int) -> Media | None:
    """The image, which nobody deletes until the transaction ends; None if it is gone."""
    return Media.objects.select_for_update().filter(pk=media_id).first()


def _require(actor: User, permission: str, post: Post | None = None) -> None:
    if not actor.has_perm(permission, post):
        raise Forbidden("Your role does not allow this.")


def _seen(actor: User, post_id: int, posts: PostQuerySet, permission: str) -> Post:
    post = posts.visible_to(actor).filter(pk=post_id).first()
    if post is None:
        raise NotFound("There is no such post.")
    _require(actor, permission, post)
    return post


def _locked(
    actor: User,
    post_id: int,
    versions: Versions,
    *,
    of: PostQuerySet | None = None,
    permission: str = "posts.change_post",
) -> Post:
    """The post, one `of` those that are not in the trash, with its row locked, in a version that the client knows."""
    posts = Post.objects.kept() if of is None else of
    post = _seen(actor, post_id, posts.with_content().select_for_update(of=("self",)), permission)
    if versions is not None and post.version not in versions:
        raise Stale(post)
    return post


def _store(post: Post, changes: dict[str, Any], actor: User) -> Post:
    """Write what differs, in one UPDATE of the version that was read, and keep a revision."""
    changes = {name: value for name, value in changes.items() if getattr(post, name) != value}
    if not changes:
        return post
    changes |= {"updated_at": timezone.now(), "version": post.version + 1}
    with explained(_CONFLICTS):
        changed = Post.objects.filter(pk=post.pk, version=post.version).update(**changes)
    if not changed:
        raise Stale(Post.objects.with_content().get(pk=post.pk))
    if "slug" in changes:
        FormerSlug.objects.filter(slug=changes["slug"]).delete()
        if post.trashed_at is None:  # or the old one is another post's by now
            FormerSlug.objects.update_or_create(slug=post.slug, defaults={"post": post})
    for name, value in changes.items():
        setattr(post, name, value)
    _revise(post, actor)
    return post


def _revise(post: Post, actor: User) -> None:
    """Keep the post as it is now, and as many older revisions as are wanted."""
    _revision_of(post, actor).save(force_insert=True)
    if settings.REVISIONS_KEEP is not None:
        Revision.objects.filter(post=post, version__lte=post.version - settings.REVISIONS_KEEP).delete()


def _revision_of(post: Post, editor: User) -> Revision:
    state = {name: getattr(post, name) for name in _REVISED}
    return Revision(post=post, version=post.version, edited_by=editor, created_at=post.updated_at, **state)


def _insert(post: Post, slug: str) -> None:
    post.slug = slug
    with explained(_CONFLICTS):
        post.save(force_insert=True)
    FormerSlug.objects.filter(slug=slug).delete()


def _insert_with_free_slug(post: Post) -> None:
    for slug in slugs.candidates(slugs.slug_from(post.title)):
        # Not one that another post had, either: its readers still come by that name.
        if not Post.objects.kept().filter(slug=slug).exists() and not FormerSlug.objects.filter(slug=slug).exists():
            try:
                return _insert(post, slug)
            except SlugTaken:
                continue  # somebody else took it in between


def _past_or_now(moment: datetime | None) -> datetime:
    now = timezone.now()
    return moment if moment is not None and moment <= now else now
