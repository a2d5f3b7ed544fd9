"""System checks of the posts' triggers and tag index, for `manage.py check --database default`."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

from posts import triggers
from posts.models import Post, PostTag

CHECKED_POSTS = 1_000


@register(Tags.database)
def check_tags(databases: Sequence[str] | None = None, **options: Any) -> list[CheckMessage]:
    """Report missing triggers, and wrong rows in the tag index of the most recently changed posts."""
    errors: list[CheckMessage] = []
    for database in databases or ():
        if PostTag._meta.db_table not in connections[database].introspection.table_names():
            continue  # the database is not migrated yet
        if missing := triggers.missing(database):
            hint = "Run manage.py migrate, which installs them, and then manage.py rebuild_indexes."
            errors.append(Error(f"Triggers are missing: {', '.join(missing)}.", hint=hint, id="posts.E001"))
        if post_id := _wrongly_indexed_post(database):
            hint = "Run manage.py rebuild_indexes."
            errors.append(Error(f"The tag index is wrong for the post {post_id}.", hint=hint, id="posts.E002"))
    return errors


def _wrongly_indexed_post(database: str) -> int | None:
    newest = Post.objects.using(database).order_by("-updated_at", "-pk")
    posts = newest.only("tags", "published", "published_at", "trashed_at")[:CHECKED_POSTS]
    indexed: dict[int, set[Any]] = {post.pk: set() for post in posts}
    rows = PostTag.objects.using(database).filter(post__in=list(indexed))
    for post_id, name, published_at in rows.values_list("post", "name", "published_at"):
        indexed[post_id].add((name, published_at))
    for post in posts:
        published_at = post.published_at if post.published and post.trashed_at is None else None
        if indexed[post.pk] != {(tag, published_at) for tag in post.tags}:
            return post.pk
    return None
