"""`POST /posts/{post_id}/publish` and `/unpublish`."""

from datetime import UTC, datetime
from typing import Any

import pytest

from accounts.models import User
from posts.models import Post
from tests.client import Api, assert_problem, is_about_now
from tests.factories import make_author, make_draft, make_editor, make_post, make_scheduled

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def author(db: None) -> User:
    return make_author()


@pytest.fixture
def authors_api(api: Api, author: User) -> Api:
    return api.acting_as(author)


@pytest.mark.parametrize("body", [None, {}, {"published_at": None}], ids=["no body", "empty", "null"])
@pytest.mark.parametrize(
    ("moment", "kept"), [(None, False), (LATER, False), (LONG_AGO, True)], ids=["no time", "future", "past"]
)
def test_publishing_without_a_time_keeps_a_past_time_and_else_uses_now(
    api: Api, authors_api: Api, author: User, body: Any, moment: datetime | None, kept: bool
) -> None:
    post = make_draft(author=author, published_at=moment)
    response = authors_api.post(f"/posts/{post.pk}/publish", body)
    assert response.status_code == 200
    result = response.json()
    assert (result["published"], result["status"], result["version"]) == (True, "published", 2)
    assert result["published_at"] == "2020-01-01T00:00:00Z" if kept else is_about_now(result["published_at"])
    assert api.get(f"/posts/{post.pk}").json() == result


def test_publishing_with_a_past_time_uses_that_time(authors_api: Api, author: User) -> None:
    post = make_draft(author=author)
    result = authors_api.post(f"/posts/{post.pk}/publish", {"published_at": "2019-06-01T12:00:00+02:00"}).json()
    assert (result["status"], result["published_at"]) == ("published", "2019-06-01T10:00:00Z")


def test_publishing_with_a_future_time_schedules_the_post(api: Api, authors_api: Api, author: User) -> None:
    post = make_draft(author=author)
    result = authors_api.post(f"/posts/{post.pk}/publish", {"published_at": "2100-01-01T00:00:00Z"}).json()
    assert (result["status"], result["published_at"]) == ("scheduled", "2100-01-01T00:00:00Z")
    assert_problem(api.get(f"/posts/{post.pk}"), 404, "not_found")
    assert api.get("/posts").json()["items"] == []


def test_scheduled_post_can_be_published_now(authors_api: Api, author: User) -> None:
    post = make_scheduled(author=author)
    result = authors_api.post(f"/posts/{post.pk}/publish").json()
    assert result["status"] == "published"
    assert is_about_now(result["published_at"])


def test_publishing_a_public_post_changes_nothing(authors_api: Api, author: User) -> None:
    post = make_post(author=author)
    before = authors_api.get(f"/posts/{post.pk}").json()
    assert authors_api.post(f"/posts/{post.pk}/publish").json() == before


def test_scheduled_post_becomes_public_when_its_time_has_passed(api: Api) -> None:
    post = make_scheduled(tags=["bread"])
    paths = [f"/posts/{post.pk}", f"/posts/by-slug/{post.slug}", "/tags/bread", f"/authors/{post.author.username}"]
    for path in paths:
        assert_problem(api.get(path), 404, "not_found")
    Post.objects.update(published_at=LONG_AGO)
    for path in paths:
        assert api.get(path).status_code == 200


def test_unpublishing_hides_the_post_and_keeps_published_at(api: Api, authors_api: Api, author: User) -> None:
    post = make_post(author=author, published_at=LONG_AGO)
    result = authors_api.post(f"/posts/{post.pk}/unpublish").json()
    assert (result["published"], result["status"]) == (False, "draft")
    assert (result["published_at"], result["version"]) == ("2020-01-01T00:00:00Z", 2)
    assert_problem(api.get(f"/posts/{post.pk}"), 404, "not_found")
    assert authors_api.post(f"/posts/{post.pk}/unpublish").json() == result
    assert authors_api.post(f"/posts/{post.pk}/publish").json()["published_at"] == "2020-01-01T00:00:00Z"


@pytest.mark.parametrize("action", ["publish", "unpublish"])
def test_editors_publish_and_unpublish_posts_of_others(api: Api, action: str) -> None:
    post = make_draft() if action == "publish" else make_post()
    result = api.acting_as(make_editor()).post(f"/posts/{post.pk}/{action}").json()
    assert result["published"] is (action == "publish")
    assert result["author"]["id"] == post.author.pk


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"published_at": "tomorrow"}, "#/published_at"),
        ({"published_at": "2026-01-01T12:00:00"}, "#/published_at"),
        ({"published_at": 10**30}, "#/published_at"),
        ({"published": True}, "#/published"),
        ({"title": "x"}, "#/title"),
        ([], "#"),
    ],
)
def test_invalid_body_is_refused_and_publishes_nothing(authors_api: Api, author: User, body: Any, pointer: str) -> None:
    post = make_draft(author=author)
    response = authors_api.post(f"/posts/{post.pk}/publish", body)
    assert_problem(response, 422, "validation_error", pointer)
    post.refresh_from_db()
    assert not post.published


@pytest.mark.parametrize("action", ["publish", "unpublish"])
@pytest.mark.parametrize("post_id", [0, 2**63, 10**30])
def test_id_out_of_range_is_refused(authors_api: Api, action: str, post_id: int) -> None:
    response = authors_api.post(f"/posts/{post_id}/{action}")
    assert_problem(response, 422, "validation_error", "#/path/post_id")
