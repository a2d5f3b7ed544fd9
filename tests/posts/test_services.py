"""The services that change posts: permissions, changed fields, versions, and atomicity."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from django.db.models.signals import pre_save
from django.utils import timezone

from accounts.models import User
from blogsite.errors import BlogError, Forbidden, NotFound, SlugTaken
from posts import services
from posts.models import Post, PostStatus, PostTag
from tests.factories import make_admin, make_author, make_draft, make_editor, make_post, make_scheduled, make_user

pytestmark = pytest.mark.django_db

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
LATER = datetime(2100, 1, 1, tzinfo=UTC)


def fields(post: Post) -> Any:
    """Return the stored values of the post."""
    return Post.objects.filter(pk=post.pk).values().get()


@contextmanager
def concurrently_taken(*slugs: str) -> Iterator[None]:
    """Simulate concurrent writers: before each of the next saves, a post with the next of these slugs is stored."""
    rivals = iter([Post(title="Rival", slug=slug, author=make_author(), reading_minutes=1) for slug in slugs])

    def interfere(**signal: Any) -> None:
        Post.objects.bulk_create([rival for rival in [next(rivals, None)] if rival])

    pre_save.connect(interfere, sender=Post)
    try:
        yield
    finally:
        pre_save.disconnect(interfere, sender=Post)


def test_new_post_is_a_draft_of_its_actor() -> None:
    author = make_author()
    post = services.create_post(actor=author, title="Rye and time", content="Some *text*.")
    stored = Post.objects.get()
    assert stored == post
    assert (stored.author, stored.slug, stored.tags, stored.excerpt) == (author, "rye-and-time", [], "")
    assert (stored.status, stored.published_at, stored.version) == (PostStatus.DRAFT, None, 1)
    assert stored.content_html == "<p>Some <em>text</em>.</p>\n"
    assert (stored.derived_excerpt, stored.reading_minutes) == ("Some text.", 1)
    assert stored.created_at == stored.updated_at
    assert abs(timezone.now() - stored.created_at) < timedelta(minutes=1)


def test_new_post_can_have_another_author() -> None:
    author = make_author()
    assert services.create_post(actor=make_editor(), author=author, title="T", content="").author == author


@pytest.mark.parametrize("make", [make_user, lambda: make_author(is_active=False), lambda: make_admin(is_active=False)])
def test_user_without_permission_creates_nothing(make: Callable[[], User]) -> None:
    with pytest.raises(Forbidden):
        services.create_post(actor=make(), title="T", content="")
    assert not Post.objects.exists()


@pytest.mark.parametrize(
    ("options", "status", "moment"),
    [
        ({"published": True}, PostStatus.PUBLISHED, "now"),
        ({"published": True, "published_at": LONG_AGO}, PostStatus.PUBLISHED, LONG_AGO),
        ({"published": True, "published_at": LATER}, PostStatus.SCHEDULED, LATER),
        ({"published_at": LATER}, PostStatus.DRAFT, LATER),
        ({}, PostStatus.DRAFT, None),
    ],
)
def test_create_can_publish_or_schedule(options: dict[str, Any], status: PostStatus, moment: Any) -> None:
    post = services.create_post(actor=make_author(), title="T", content="", **options)
    assert (post.status, post.published_at) == (status, post.created_at if moment == "now" else moment)


def test_equal_titles_get_distinct_slugs() -> None:
    author = make_author()
    slugs = [services.create_post(actor=author, title="Été!", content="").slug for _ in range(11)]
    assert slugs[:9] == ["été", *(f"été-{count}" for count in range(2, 10))]
    assert all(slug.startswith("été-") and len(slug) == len("été-") + 6 for slug in slugs[9:])
    assert len(set(slugs)) == 11


def test_generated_slug_that_is_taken_meanwhile_is_replaced() -> None:
    author = make_author()
    with concurrently_taken("rye", "rye-2"):
        post = services.create_post(actor=author, title="Rye", content="")
    assert post.slug == "rye-3"
    assert Post.objects.get(slug="rye-3") == post


def test_explicit_slug_that_is_taken_meanwhile_is_a_conflict() -> None:
    author = make_author()
    with concurrently_taken("rye"), pytest.raises(SlugTaken):
        services.create_post(actor=author, title="Mine", content="", slug="rye")
    assert not Post.objects.filter(title="Mine").exists()


def test_taken_slug_stores_nothing() -> None:
    author = make_author()
    make_post(slug="rye")
    post = make_post(author=author, slug="oats", title="Before")
    with pytest.raises(SlugTaken):
        services.create_post(actor=author, title="New", content="", slug="rye")
    with pytest.raises(SlugTaken):
        services.update_post(actor=author, post_id=post.pk, changes={"title": "After", "slug": "rye"})
    assert (fields(post)["title"], fields(post)["slug"], fields(post)["version"]) == ("Before", "oats", 1)
    assert Post.objects.count() == 2


def test_failed_change_is_rolled_back_completely() -> None:
    author = make_author()
    post = make_post(author=author, tags=["bread"])
    before = fields(post)
    broken: list[Any] = ["soup", None]  # the trigger fails on the second tag, after the post was written
    with pytest.raises(IntegrityError):
        services.update_post(actor=author, post_id=post.pk, changes={"title": "After", "tags": broken})
    with pytest.raises(IntegrityError):
        services.create_post(actor=author, title="New", content="", tags=broken)
    assert Post.objects.values().get() == before
    assert PostTag.objects.get().name == "bread"


@pytest.mark.parametrize(
    ("changes", "derived"),
    [
        ({"title": "New"}, {}),
        ({"slug": "new"}, {}),
        ({"tags": ["b", "a"]}, {}),
        ({"excerpt": "New."}, {}),
        ({"published_at": LATER}, {}),
        ({"published": False}, {}),
        ({"content": "*New*"}, {"content_html": "<p><em>New</em></p>\n", "derived_excerpt": "New"}),
        ({"content": "word " * 231}, {"reading_minutes": 2}),
        ({"title": "New", "tags": [], "excerpt": "New."}, {}),
    ],
)
def test_change_increments_the_version_once_and_advances_updated_at(
    changes: dict[str, Any], derived: dict[str, Any]
) -> None:
    post = make_post(tags=["a", "b"], excerpt="Old.")
    before = fields(post)
    result = services.update_post(actor=post.author, post_id=post.pk, changes=changes)
    after = fields(post)
    assert {name: after[name] for name in changes | derived} == changes | derived
    assert (after["version"], result.version) == (2, 2)
    assert after["updated_at"] == result.updated_at
    assert after["updated_at"] > before["updated_at"]
    may_change = (
        set(changes | derived) | {"version", "updated_at"} | ({"derived_excerpt", "content_html"} if derived else set())
    )
    assert {name for name in after if after[name] != before[name]} <= may_change


@pytest.mark.parametrize(
    "names", [[], ["title"], ["content"], ["tags", "excerpt"], ["slug", "published", "published_at"], ["author_id"]]
)
def test_change_without_a_difference_stores_nothing(names: list[str]) -> None:
    post = make_post(tags=["a"], excerpt="Old.")
    before = fields(post)
    same = {name: before[name] for name in names}
    assert services.update_post(actor=post.author, post_id=post.pk, changes=same).version == 1
    assert fields(post) == before


def test_excerpt_of_none_restores_the_derived_excerpt() -> None:
    post = make_post(content="Derived.", excerpt="Explicit.")
    result = services.update_post(actor=post.author, post_id=post.pk, changes={"excerpt": None})
    assert (result.excerpt, result.summary) == ("", "Derived.")


def test_update_does_not_modify_the_dictionary_of_changes() -> None:
    post = make_draft()
    changes = {"content": "New", "published": True}
    services.update_post(actor=post.author, post_id=post.pk, changes=changes)
    assert changes == {"content": "New", "published": True}


@pytest.mark.parametrize(
    ("state", "changes", "moment"),
    [
        ({"published": False, "published_at": None}, {"published": True}, "now"),
        ({"published": False, "published_at": LONG_AGO}, {"published": True}, LONG_AGO),
        ({"published": False, "published_at": LATER}, {"published": True}, "now"),
        ({"published": False, "published_at": None}, {"published": True, "published_at": LATER}, LATER),
        ({"published": False, "published_at": LONG_AGO}, {"published": True, "published_at": None}, "now"),
        ({"published": False, "published_at": LONG_AGO}, {"published_at": None}, None),
        ({"published": True, "published_at": LONG_AGO}, {"published_at": None}, "now"),
        ({"published": True, "published_at": LATER}, {"published_at": None}, "now"),
        ({"published": True, "published_at": LONG_AGO}, {"published": False}, LONG_AGO),
        ({"published": True, "published_at": LONG_AGO}, {"published": False, "published_at": None}, None),
        ({"published": True, "published_at": LATER}, {"published": True}, LATER),
    ],
    ids=repr,
)
def test_update_sets_published_at(state: dict[str, Any], changes: dict[str, Any], moment: Any) -> None:
    post = make_post(**state)
    before = timezone.now()
    result = services.update_post(actor=post.author, post_id=post.pk, changes=changes)
    post.refresh_from_db()
    assert post.published_at == result.published_at
    assert post.published == changes.get("published", state["published"])
    if moment == "now":
        assert post.published_at
        assert before <= post.published_at <= timezone.now()
    else:
        assert post.published_at == moment


@pytest.mark.parametrize(
    ("make", "published_at", "moment"),
    [
        (make_draft, None, "now"),
        (make_draft, LATER, LATER),
        (make_draft, LONG_AGO, LONG_AGO),
        (lambda: make_draft(published_at=LONG_AGO), None, LONG_AGO),
        (lambda: make_draft(published_at=LATER), None, "now"),
        (make_scheduled, None, "now"),
        (lambda: make_post(published_at=LONG_AGO), LATER, LATER),
    ],
)
def test_publish_sets_published_at(make: Callable[[], Post], published_at: Any, moment: Any) -> None:
    post = make()
    before = timezone.now()
    result = services.publish_post(actor=post.author, post_id=post.pk, published_at=published_at)
    post.refresh_from_db()
    assert (post.published, post.version, post.published_at) == (True, 2, result.published_at)
    assert post.published_at
    if moment == "now":
        assert before <= post.published_at <= timezone.now()
    else:
        assert post.published_at == moment


def test_publishing_a_public_post_changes_nothing() -> None:
    post = make_post()
    before = fields(post)
    services.publish_post(actor=post.author, post_id=post.pk)
    assert fields(post) == before


@pytest.mark.parametrize("make", [make_post, make_scheduled])
def test_unpublish_keeps_published_at(make: Callable[[], Post]) -> None:
    post = make()
    result = services.unpublish_post(actor=post.author, post_id=post.pk)
    assert (result.status, result.published_at, result.version) == (PostStatus.DRAFT, post.published_at, 2)
    assert services.unpublish_post(actor=post.author, post_id=post.pk).version == 2


ACTIONS: list[Callable[..., Any]] = [
    lambda **post: services.update_post(changes={"title": "After", "content": "After"}, **post),
    services.publish_post,
    services.unpublish_post,
    services.trash_post,
]


@pytest.mark.parametrize("act", ACTIONS, ids=["update", "publish", "unpublish", "trash"])
@pytest.mark.parametrize(
    ("make_actor", "make", "error"),
    [
        (make_user, make_post, Forbidden),
        (make_user, make_draft, NotFound),
        (make_author, make_post, Forbidden),
        (make_author, make_draft, NotFound),
        (make_author, make_scheduled, NotFound),
        (lambda: make_admin(is_active=False), make_post, Forbidden),
    ],
)
def test_user_without_permission_changes_nothing(
    act: Callable[..., Any], make_actor: Callable[[], User], make: Callable[[], Post], error: type[BlogError]
) -> None:
    post = make()
    before = fields(post)
    with pytest.raises(error):
        act(actor=make_actor(), post_id=post.pk)
    assert fields(post) == before


@pytest.mark.parametrize("act", ACTIONS, ids=["update", "publish", "unpublish", "trash"])
@pytest.mark.parametrize("make_actor", [make_author, make_editor, make_admin])
def test_missing_post_is_not_found(act: Callable[..., Any], make_actor: Callable[[], User]) -> None:
    with pytest.raises(NotFound):
        act(actor=make_actor(), post_id=2**40)


@pytest.mark.parametrize("make_actor", [make_editor, make_admin])
def test_editors_and_admins_manage_posts_of_others(make_actor: Callable[[], User]) -> None:
    actor, post = make_actor(), make_draft()
    services.update_post(actor=actor, post_id=post.pk, changes={"title": "After"})
    services.publish_post(actor=actor, post_id=post.pk)
    stored = Post.objects.get()
    assert (stored.title, stored.author, stored.version) == ("After", post.author, 3)
    services.trash_post(actor=actor, post_id=post.pk)
    assert not Post.objects.not_trashed().exists()


def test_trash_affects_only_the_given_post() -> None:
    author = make_author()
    post, other = make_post(author=author, tags=["a"]), make_post(author=author, tags=["a"])
    services.trash_post(actor=author, post_id=post.pk)
    assert Post.objects.not_trashed().get() == other
    assert PostTag.objects.public().get().post == other
