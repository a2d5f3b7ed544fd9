"""QuerySets that become SQL once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ObjectDoesNotExist
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from blogsite.db import compiled_queries
from blogsite.db.compiled_queries import CurrentTime, Param
from posts.models import Post, PostTag, public_authors
from tests.factories import make_author, make_draft, make_post, make_scheduled

Ask = Callable[..., Any]

rows: Ask = async_to_sync(compiled_queries.rows)
one: Ask = async_to_sync(compiled_queries.one)
count: Ask = async_to_sync(compiled_queries.count)

pytestmark = pytest.mark.django_db


def with_author(post_id: Any) -> QuerySet[Post]:
    return Post.objects.with_content().filter(pk=post_id)


def test_a_question_is_built_and_compiled_once_whatever_the_values() -> None:
    built = []

    def by_title(title: Any) -> QuerySet[Post]:
        built.append(title)
        return Post.objects.filter(title=title).order_by("pk")

    posts = [make_post(title=title) for title in ("One", "Two", "One")]
    assert rows(by_title, Param("One")) == [posts[0], posts[2]]
    assert rows(by_title, Param("Two")) == [posts[1]]
    assert rows(by_title, Param("' OR 1=1 --")) == []
    assert len(built) == 1
    assert rows(by_title, "One") == [posts[0], posts[2]]
    assert len(built) == 2


def test_each_kind_of_value_is_a_shape_of_its_own() -> None:
    def behind(bounds: tuple[Any, ...]) -> QuerySet[Post]:
        found = Post.objects.order_by("pk")
        for bound in bounds:
            found = found.filter(published_at__gt=bound) if bound else found.filter(published_at__isnull=True)
        return found

    draft, post = make_draft(), make_post()
    assert post.published_at
    assert rows(behind, ()) == [draft, post]
    assert rows(behind, (None,)) == [draft]
    assert rows(behind, (Param(post.published_at - timedelta(seconds=1)),)) == [post]
    assert rows(behind, (Param(post.published_at), Param(post.published_at))) == []


def test_rows_are_what_the_queryset_itself_would_give() -> None:
    post = make_post(tags=["a", "b"], published_at=timezone.now() - timedelta(days=1))
    (ours,) = rows(with_author, Param(post.pk))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert ours.author.username == post.author.username
        assert (ours.tags, ours.published_at, ours.published) == (["a", "b"], post.published_at, True)
    assert len(queries) == 0
    (usual,) = with_author(post.pk)
    shown = [field.attname for field in Post._meta.concrete_fields]
    assert {name: getattr(ours, name) for name in shown} == {name: getattr(usual, name) for name in shown}
    assert ours.author.get_deferred_fields() == usual.author.get_deferred_fields()
    assert ours._state.db == usual._state.db
    ours.title = "Changed"
    ours.save(update_fields=["title"])
    assert Post.objects.get().title == "Changed"


def test_annotations_and_named_rows_are_kept() -> None:
    author = make_author()
    for _ in range(2):
        make_post(author=author, tags=["a"])
    assert [(found, found.post_count) for found in rows(public_authors)] == [(author, 2)]

    def tags(name: Any) -> QuerySet[PostTag, Any]:
        return PostTag.objects.public().filter(name=name).counted()

    (tag,) = rows(tags, Param("a"))
    assert (tag.name, tag.post_count) == ("a", 2)


def test_a_related_row_that_is_not_there_is_none() -> None:
    LogEntry.objects.create(user=make_author(), object_repr="Nothing", action_flag=1)

    def entries() -> QuerySet[LogEntry]:
        return LogEntry.objects.select_related("content_type", "user")

    (entry,) = rows(entries)
    assert entry.content_type is None
    assert entry.user == User.objects.get()


def test_the_time_is_that_of_the_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduled = make_scheduled()

    def public() -> QuerySet[Post]:
        in_a_subquery = Post.objects.filter(published_at__lte=CurrentTime()).values("pk")
        return Post.objects.published().filter(pk__in=in_a_subquery)

    assert rows(public) == []
    monkeypatch.setattr("blogsite.db.compiled_queries.timezone.now", lambda: scheduled.published_at)
    assert rows(public) == [scheduled]


def test_one_row_is_found_or_missed() -> None:
    post = make_post()
    assert one(with_author, Param(post.pk)) == post
    with pytest.raises(ObjectDoesNotExist):
        one(with_author, Param(post.pk + 1))


def test_rows_are_counted_without_being_read() -> None:
    post = make_post()
    assert (count(with_author, Param(post.pk)), count(with_author, Param(0))) == (1, 0)
