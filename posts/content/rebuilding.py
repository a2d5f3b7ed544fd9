"""Renders the content of stored posts again, after a change of the renderer."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import connections, transaction

from blogsite.errors import Invalid
from posts.content.markdown import RENDERER_VERSION, render
from posts.models import Post, RendererState

BATCH = 10  # a post can have a megabyte of content
_DERIVED = ("content_html", "derived_excerpt", "reading_minutes")


@dataclass
class Progress:
    """The numbers of posts that were rendered and that differed so far, and the ids of those that were refused."""

    rendered: int = 0
    changed: int = 0
    refused: list[int] = field(default_factory=list)


def is_outdated() -> bool:
    """Return whether an older renderer made the HTML of the stored posts."""
    return not RendererState.objects.filter(version__gte=RENDERER_VERSION).exists()


def rebuild(*, dry_run: bool = False) -> Iterator[Progress]:
    """Render every post again, store what differs, and record the version of the renderer. Yield after each batch.

    The version, `updated_at` and the revisions of a post stay as they are. A post that is edited meanwhile is left to
    that edit. A post whose content the renderer refuses keeps its HTML. A dry run stores nothing.
    """
    progress = Progress()
    every_post = Post.objects.order_by("pk").values("pk", "version", "content", *_DERIVED)
    last = 0
    while posts := list(every_post.filter(pk__gt=last)[:BATCH]):
        last = posts[-1]["pk"]
        changes = [(post, change) for post in posts if (change := _change(post, progress))]
        with transaction.atomic():
            for post, change in changes:
                found = Post.objects.filter(pk=post["pk"], version=post["version"])
                progress.changed += found.count() if dry_run else found.update(**change)
        yield progress
    if not dry_run:
        _record_version()


def record_version_if_empty(using: str = "default", **signal: Any) -> None:
    """Record the version of the renderer in a database without posts. Receives Django's `post_migrate`."""
    tables = connections[using].introspection.table_names()
    if RendererState._meta.db_table in tables and not Post.objects.using(using).exists():
        _record_version(using)


def _change(post: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Return the fields that the renderer derives differently from what is stored."""
    progress.rendered += 1
    try:
        derived = asdict(render(post["content"]))
    except Invalid:
        progress.refused.append(post["pk"])
        return {}
    return {name: value for name, value in derived.items() if post[name] != value}


def _record_version(using: str = "default") -> None:
    RendererState.objects.using(using).update_or_create(pk=1, defaults={"version": RENDERER_VERSION})
