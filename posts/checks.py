"""What `manage.py check --database default` says of the posts."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

from posts import triggers
from posts.models import Post, PostTag

LOOKED_AT = 1_000


@register(Tags.database)
def check_tags(databases: Sequence[str] | None = None, **options: Any) -> list[CheckMessage]:
    """The triggers are there, and the index of tags is right for the posts that were changed last."""
    found: list[CheckMessage] = []
    for database in databases or ():
        if PostTag._meta.db_table not in connections[database].introspection.table_names():
            continue  # nothing is migrated yet
        if missing := triggers.missing(database):
            hint = "Run manage.py migrate, which makes them anew, and then manage.py rebuild_indexes."
            found.append(Error(f"Triggers are missing: {', '.join(missing)}.", hint=hint, id="posts.E001"))
        if wrong := _wrongly_indexed(database):
            hint = "Run manage.py rebuild_indexes."
            found.append(Error(f"The index of tags is wrong for the post {wrong}.", hint=hint, id="posts.E002"))
    return found


def _wrongly_indexed(database: str) -> int | None:
    posts = Post.objects.using(database).order_by("-updated_at", "-pk").only("tags", "published", *_TIMES)[:LOOKED_AT]
    indexed: dict[int, set[Any]] = {post.pk: set() for post in posts}
    rows = PostTag.objects.using(database).filter(post__in=list(indexed))
    for post_id, name, published_at in rows.values_list("post", "name", "published_at"):
        indexed[post_id].add((name, published_at))
    for post in posts:
        moment = post.published_at if post.published and post.trashed_at is None else None
        if indexed[post.pk] != {(tag, moment) for tag in post.tags}:
            return post.pk
    return None


_TIMES = ("published_at", "trashed_at")
