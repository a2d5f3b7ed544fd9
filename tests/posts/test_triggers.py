"""The triggers update the tag index for every kind of write."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.utils import timezone

from posts import services, triggers
from posts.models import Post, PostTag
from tests.factories import make_author, make_draft, make_post, make_scheduled

pytestmark = pytest.mark.django_db

Index = set[tuple[int, str, datetime | None]]


def index() -> Index:
    return set(PostTag.objects.values_list("post_id", "name", "published_at"))


def rows(post: Post, tags: Iterable[str], moment: datetime | None) -> Index:
    return {(post.pk, tag, moment) for tag in tags}


def installed() -> list[str]:
    on_sqlite = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'posts_post_tags_%'"
    on_postgresql = "SELECT tgname FROM pg_trigger WHERE tgname LIKE 'posts_post_tags_%'"
    with connection.cursor() as cursor:
        cursor.execute(on_sqlite if connection.vendor == "sqlite" else on_postgresql)
        return sorted(name for (name,) in cursor.fetchall())


def execute(sql: str, *params: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def test_a_new_post_is_indexed_with_its_time_of_publication() -> None:
    public = make_post(tags=["bread", "soup"])
    later = make_scheduled(tags=["bread"])
    draft = make_draft(tags=["bread"], published_at=timezone.now())
    make_post(tags=[])
    assert index() == (
        rows(public, ["bread", "soup"], public.published_at)
        | rows(later, ["bread"], later.published_at)
        | rows(draft, ["bread"], None)
    )


def test_the_services_update_the_index() -> None:
    post = make_draft(tags=["bread"])
    author = post.author
    services.update_post(actor=author, post_id=post.pk, changes={"tags": ["soup", "trains"]})
    assert index() == rows(post, ["soup", "trains"], None)
    post = services.publish_post(actor=author, post_id=post.pk)
    assert index() == rows(post, ["soup", "trains"], post.published_at)
    services.unpublish_post(actor=author, post_id=post.pk)
    assert index() == rows(post, ["soup", "trains"], None)
    services.publish_post(actor=author, post_id=post.pk)
    services.trash_post(actor=author, post_id=post.pk)
    assert index() == rows(post, ["soup", "trains"], None)
    post = services.restore_post(actor=author, post_id=post.pk)
    assert index() == rows(post, ["soup", "trains"], post.published_at)
    post.delete()
    assert index() == set()


def test_changes_of_other_fields_do_not_write_the_index() -> None:
    post = make_post(tags=["bread"])
    before = PostTag.objects.get().pk
    services.update_post(actor=post.author, post_id=post.pk, changes={"title": "After", "content": "After"})
    assert PostTag.objects.get().pk == before


def test_bulk_create_is_indexed() -> None:
    author, moment = make_author(), timezone.now() - timedelta(days=1)
    posts = Post.objects.bulk_create(
        Post(
            title="T",
            slug=f"bulk-{number}",
            author=author,
            tags=[f"tag-{number}", "bulk"],
            published=number % 2 == 0,
            published_at=moment,
            reading_minutes=1,
        )
        for number in range(20)
    )
    expected = [rows(p, [f"tag-{n}", "bulk"], None if n % 2 else moment) for n, p in enumerate(posts)]
    assert index() == set().union(*expected)


def test_bulk_update_is_indexed() -> None:
    first, second = make_post(tags=["a"]), make_post(tags=["b"])
    first.tags, second.tags = ["c"], []
    Post.objects.bulk_update([first, second], ["tags"])
    assert index() == rows(first, ["c"], first.published_at)


def test_a_querysets_update_is_indexed() -> None:
    first, second = make_post(tags=["a"]), make_post(tags=["a"])
    Post.objects.filter(pk=first.pk).update(tags=["b", "c"], published=False)
    Post.objects.filter(pk=second.pk).update(published_at=F("published_at") - timedelta(days=1))
    second.refresh_from_db()
    assert index() == rows(first, ["b", "c"], None) | rows(second, ["a"], second.published_at)


def test_save_is_indexed() -> None:
    post = make_post(tags=["a"])
    post.tags = ["b"]
    post.save()
    assert index() == rows(post, ["b"], post.published_at)


def test_raw_sql_is_indexed() -> None:
    post = make_post(tags=["a"])
    columns = [field.attname for field in Post._meta.concrete_fields if not field.primary_key]
    values = ["'copy'" if column == "slug" else column for column in columns]
    execute(
        f"INSERT INTO posts_post ({', '.join(columns)}) SELECT {', '.join(values)} FROM posts_post WHERE id = %s",  # noqa: S608 - column names of our model
        post.pk,
    )
    copy = Post.objects.get(slug="copy")
    assert index() == rows(post, ["a"], post.published_at) | rows(copy, ["a"], post.published_at)
    execute("UPDATE posts_post SET tags = %s WHERE id = %s", '["b", "é"]', copy.pk)
    assert index() == rows(post, ["a"], post.published_at) | rows(copy, ["b", "é"], post.published_at)
    execute("DELETE FROM posts_revision WHERE post_id = %s", post.pk)
    execute("DELETE FROM posts_post WHERE id = %s", post.pk)
    assert index() == rows(copy, ["b", "é"], post.published_at)


def test_a_bulk_delete_is_indexed() -> None:
    kept = make_post(tags=["a"])
    for _ in range(3):
        make_post(tags=["a", "b"])
    Post.objects.exclude(pk=kept.pk).delete()
    assert index() == rows(kept, ["a"], kept.published_at)


def test_a_duplicate_tag_is_indexed_once() -> None:
    post = make_post()
    Post.objects.filter(pk=post.pk).update(tags=["a", "a", "b"])
    assert PostTag.objects.count() == 2


def test_tags_with_special_characters_are_indexed() -> None:
    tags = ["c++", "a/b", "it's", '"quoted"', "back\\slash", "パン", "🍞", "100%", "null", "true", "[]"]
    post = make_post(tags=tags)
    assert index() == rows(post, tags, post.published_at)


def test_installing_twice_changes_nothing() -> None:
    before = installed()
    assert len(before) == 3
    triggers.install()
    triggers.install()
    assert installed() == before
    post = make_post(tags=["a", "b"])
    assert index() == rows(post, ["a", "b"], post.published_at)


def test_a_migration_installs_missing_triggers() -> None:
    before = installed()
    suffix = "" if connection.vendor == "sqlite" else " ON posts_post"
    for name in before:
        execute(f"DROP TRIGGER {name}{suffix}")
    assert installed() == []
    call_command("migrate", verbosity=0)
    assert installed() == before


def test_nothing_is_installed_without_the_index_table() -> None:
    suffix = "" if connection.vendor == "sqlite" else " ON posts_post"
    for name in installed():
        execute(f"DROP TRIGGER {name}{suffix}")
    execute("ALTER TABLE posts_posttag RENAME TO posts_formertag")
    triggers.install()
    assert installed() == []
