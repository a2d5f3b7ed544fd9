"""The post model: constraints, scopes, the derived status, and counts of tags and authors."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError, QuerySet
from django.utils import timezone

from accounts.models import Role, User
from blogsite.db.keyset import Order
from posts import queries
from posts.access import Access
from posts.models import Media, Post, PostStatus, PostTag
from posts.queries import PostSelection
from tests.factories import make_author, make_draft, make_editor, make_media, make_post, make_scheduled, make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "invalid",
    [
        {"title": ""},
        {"slug": ""},
        {"slug": "first"},
        {"published": True, "published_at": None},
    ],
)
def test_constraints_refuse_an_invalid_post(invalid: dict[str, Any]) -> None:
    make_post(slug="first")
    draft = make_draft()
    with pytest.raises(IntegrityError), transaction.atomic():
        Post.objects.filter(pk=draft.pk).update(**invalid)


def test_user_with_posts_cannot_be_deleted() -> None:
    post = make_post()
    with pytest.raises(ProtectedError):
        post.author.delete()


@pytest.mark.parametrize(
    ("published", "hours", "status"),
    [
        (False, None, PostStatus.DRAFT),
        (False, -1, PostStatus.DRAFT),
        (False, 1, PostStatus.DRAFT),
        (True, -1, PostStatus.PUBLISHED),
        (True, 1, PostStatus.SCHEDULED),
    ],
)
def test_status_is_derived_from_published_and_the_current_time(
    published: bool, hours: int | None, status: PostStatus
) -> None:
    moment = None if hours is None else timezone.now() + timedelta(hours=hours)
    post = make_post(published=published, published_at=moment)
    assert post.status == status
    assert [value for value in PostStatus if post in Post.objects.with_status(value)] == [status]


@pytest.mark.parametrize(
    ("who", "titles"),
    [
        ("nobody", {"public"}),
        ("reader", {"public"}),
        ("author", {"public", "own draft", "own scheduled"}),
        ("editor", {"public", "own draft", "own scheduled", "draft", "scheduled"}),
        ("admin", {"public", "own draft", "own scheduled", "draft", "scheduled"}),
        ("inactive", {"public"}),
    ],
)
def test_visible_posts_depend_on_the_role(who: str, titles: set[str]) -> None:
    user = make_author()
    make_draft(author=user, title="own draft")
    make_scheduled(author=user, title="own scheduled")
    make_draft(title="draft")
    make_scheduled(title="scheduled")
    make_post(title="public")
    viewer: User | AnonymousUser = user
    if who == "nobody":
        viewer = AnonymousUser()
    elif who == "inactive":
        user.role, user.is_active = Role.ADMIN, False
    else:
        user.role = Role(who)
    assert {post.title for post in Post.objects.visible_to(Access.to_posts(viewer))} == titles


def test_access_without_a_user_shows_no_images_even_of_deleted_users() -> None:
    media = make_media()
    Media.objects.update(author=None)
    assert not Media.objects.visible_to(Access()).exists()
    assert Media.objects.visible_to(Access.to_media(make_editor())).get() == media


def test_by_matches_the_username_without_regard_to_case() -> None:
    post = make_post(author=make_author(username="Ines"))
    make_post()
    for name in ("Ines", "ines", "INES"):
        assert Post.objects.by(name).get() == post
    assert not Post.objects.by("nobody").exists()


def test_tagged_requires_all_tags() -> None:
    both = make_post(tags=["bread", "soup"])
    bread = make_post(tags=["bread"])
    assert set(Post.objects.tagged("bread")) == {both, bread}
    assert set(Post.objects.tagged("soup", "bread")) == {both}
    assert not Post.objects.tagged("bread", "trains").exists()
    assert set(Post.objects.tagged()) == {both, bread}


def test_published_after_and_published_before_are_exclusive() -> None:
    moment = timezone.now() - timedelta(days=1)
    post = make_post(published_at=moment)
    step = timedelta(microseconds=1)

    def selected(**bounds: Any) -> QuerySet[Post]:
        return queries.posts.build(Access(), PostSelection(**bounds))

    assert not selected(published_after=moment).exists()
    assert not selected(published_before=moment).exists()
    assert selected(published_after=moment - step, published_before=moment + step).get() == post


def test_summary_is_the_excerpt_or_the_beginning_of_the_content() -> None:
    assert make_post(content="Some *text*.", excerpt="Explicit.").summary == "Explicit."
    assert make_post(content="Some *text*.").summary == "Some text."


def test_with_summary_defers_the_content_and_the_password() -> None:
    make_post(title="A title")
    post = Post.objects.with_summary().get()
    assert post.get_deferred_fields() == {"content", "content_html"}
    assert "password" in post.author.get_deferred_fields()
    assert Post.objects.with_content().get().get_deferred_fields() == set()
    assert str(post) == "A title"


def test_counted_counts_public_posts_of_each_tag() -> None:
    make_post(tags=["bread", "soup"])
    make_post(tags=["bread"])
    make_draft(tags=["bread", "secret"])
    make_scheduled(tags=["bread", "later"])
    counts = {row.name: row.post_count for row in PostTag.objects.public().counted()}  # type: ignore[attr-defined]
    assert counts == {"bread": 2, "soup": 1}
    assert {tag.name for tag in PostTag.objects.public().filter(name__startswith="so")} == {"soup"}
    assert {str(tag) for tag in PostTag.objects.filter(name__startswith="se")} == {"secret"}


def test_public_authors_are_the_users_with_public_posts() -> None:
    author, hidden, reader = make_author(), make_author(), make_user()
    make_post(author=author)
    make_post(author=author)
    make_draft(author=author)
    make_draft(author=hidden)
    make_scheduled(author=hidden)
    found: Any = queries.authors.build().get()
    assert (found, found.post_count) == (author, 2)
    assert reader not in queries.authors.build()
    assert "password" in found.get_deferred_fields()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="this is about the query planner of SQLite")
def test_page_far_down_is_found_through_the_index() -> None:
    """SQLite searches the index for the row of the cursor, in the statement of the list, and does not scan the rows."""
    author = make_author()
    moment = timezone.now() - timedelta(days=1)
    Post.objects.bulk_create(
        Post(
            title=f"Post {number}",
            slug=f"post-{number}",
            author=author,
            published=True,
            published_at=moment - timedelta(minutes=number),
            reading_minutes=1,
        )
        for number in range(5_000)
    )
    order = Order("-published_at", keys=("published_at", "id"), descending=True)
    last = Post.objects.earliest("published_at")
    assert last.published_at
    found = Post.objects.published().filter(order.after([last.published_at + timedelta(minutes=2), last.pk]))
    sql, params = order.apply(found.with_summary())[:21].query.sql_with_params()
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with connection.cursor() as cursor:
        assert connection.connection
        connection.connection.set_progress_handler(count, 100)
        try:
            cursor.execute(sql, params)
            assert len(cursor.fetchall()) == 3
        finally:
            connection.connection.set_progress_handler(None, 100)
    assert steps < 20
