"""Compiled queries: the SQL of a QuerySet is compiled once and run with other values."""

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
from blogsite.db.compiled_queries import CompiledQuery, CurrentTime, compiled
from posts import queries as post_queries
from posts.models import Post, PostStatus, PostTag
from tests.factories import make_author, make_draft, make_post, make_scheduled


def rows(query: CompiledQuery[Any]) -> list[Any]:
    return async_to_sync(query.alist)()


pytestmark = pytest.mark.django_db


@compiled
def with_author(post_id: Any) -> QuerySet[Post]:
    return Post.objects.with_content().filter(pk=post_id)


def test_a_query_is_built_once_for_all_values_of_its_parameters() -> None:
    built = []

    @compiled
    def by_title(title: Any) -> QuerySet[Post]:
        built.append(title)
        return Post.objects.filter(title=title).order_by("pk")

    posts = [make_post(title=title) for title in ("One", "Two", "One")]
    assert rows(by_title("One")) == [posts[0], posts[2]]
    assert rows(by_title("Two")) == [posts[1]]
    assert rows(by_title("' OR 1=1 --")) == []
    assert len(built) == 1


def test_values_that_are_not_parameters_select_the_sql() -> None:
    built = []

    @compiled
    def with_status(status: PostStatus | None, newest_first: bool) -> QuerySet[Post]:
        built.append((status, newest_first))
        found = Post.objects.with_status(status) if status else Post.objects.all()
        return found.order_by("-pk" if newest_first else "pk")

    draft, post = make_draft(), make_post()
    for _ in range(2):
        assert rows(with_status(None, False)) == [draft, post]
        assert rows(with_status(None, True)) == [post, draft]
        assert rows(with_status(PostStatus.DRAFT, True)) == [draft]
    assert built == [(None, False), (None, True), (PostStatus.DRAFT, True)]


def test_each_combination_of_types_has_its_own_sql() -> None:
    @compiled
    def after(bounds: tuple[Any, ...]) -> QuerySet[Post]:
        found = Post.objects.order_by("pk")
        for bound in bounds:
            found = found.filter(published_at__gt=bound) if bound else found.filter(published_at__isnull=True)
        return found

    draft, post = make_draft(), make_post()
    assert post.published_at
    assert rows(after(())) == [draft, post]
    assert rows(after((None,))) == [draft]
    assert rows(after((post.published_at - timedelta(seconds=1),))) == [post]
    assert rows(after((post.published_at, post.published_at))) == []


def test_instances_equal_those_of_the_queryset() -> None:
    post = make_post(tags=["a", "b"], published_at=timezone.now() - timedelta(days=1))
    (ours,) = rows(with_author(post.pk))
    with CaptureQueriesContext(connection) as queries:
        assert ours.author.username == post.author.username
        assert (ours.tags, ours.published_at, ours.published) == (["a", "b"], post.published_at, True)
    assert len(queries) == 0
    (usual,) = with_author.build(post.pk)
    shown = [field.attname for field in Post._meta.concrete_fields]
    assert {name: getattr(ours, name) for name in shown} == {name: getattr(usual, name) for name in shown}
    assert ours.author.get_deferred_fields() == usual.author.get_deferred_fields()
    assert ours._state.db == usual._state.db
    ours.title = "Changed"
    ours.save(update_fields=["title"])
    assert Post.objects.get().title == "Changed"


def test_annotations_are_set_on_instances_and_rows() -> None:
    author = make_author()
    for _ in range(2):
        make_post(author=author, tags=["a"])
    assert [(found, found.post_count) for found in rows(post_queries.authors())] == [(author, 2)]

    @compiled
    def tags(name: Any) -> QuerySet[PostTag, Any]:
        return PostTag.objects.public().filter(name=name).counted()

    (tag,) = rows(tags("a"))
    assert (tag.name, tag.post_count) == ("a", 2)


def test_missing_related_row_is_none() -> None:
    LogEntry.objects.create(user=make_author(), object_repr="Nothing", action_flag=1)

    @compiled
    def entries() -> QuerySet[LogEntry]:
        return LogEntry.objects.select_related("content_type", "user")

    (entry,) = rows(entries())
    assert entry.content_type is None
    assert entry.user == User.objects.get()


def test_current_time_is_read_at_each_run(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduled = make_scheduled()

    @compiled
    def public() -> QuerySet[Post]:
        in_a_subquery = Post.objects.filter(published_at__lte=CurrentTime()).values("pk")
        return Post.objects.published().filter(pk__in=in_a_subquery)

    assert rows(public()) == []
    monkeypatch.setattr("blogsite.db.compiled_queries.timezone.now", lambda: scheduled.published_at)
    assert rows(public()) == [scheduled]


def test_one_returns_the_row_or_raises_does_not_exist() -> None:
    post = make_post()
    query = with_author(post.pk)
    assert async_to_sync(query.aget)() == async_to_sync(query.afirst)() == post
    with pytest.raises(ObjectDoesNotExist):
        async_to_sync(with_author(post.pk + 1).aget)()


def test_count_returns_the_number_of_rows() -> None:
    post = make_post()
    assert async_to_sync(with_author(post.pk).acount)() == 1
    assert async_to_sync(with_author(0).acount)() == 0
