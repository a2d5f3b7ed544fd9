"""`POST /posts/{post_id}/preview-link` and `GET /posts/preview/{token}`."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from posts.models import Post
from tests.client import ROOT, Api, assert_problem
from tests.factories import make_author, make_draft, make_editor, make_post, make_scheduled


def link(api: Api, post: Post) -> str:
    """Create a preview link, and return its path below the root of the API."""
    response = api.acting_as(post.author).post(f"/posts/{post.pk}/preview-link")
    assert response.status_code == 201
    url: str = response.json()["url"]
    assert url.startswith("http://127.0.0.1:8000/api/v1/posts/preview/")
    return url.partition(ROOT)[2]


@pytest.mark.parametrize("make", [make_draft, make_scheduled, make_post])
def test_anonymous_client_with_the_link_reads_the_post(api: Api, make: Callable[[], Post]) -> None:
    post = make()
    response = api.get(link(api, post))
    assert response.json() == api.acting_as(post.author).get(f"/posts/{post.pk}").json()
    assert response["Cache-Control"] == "private, no-store"


def test_preview_shows_the_current_post_and_ends_with_the_trash(api: Api) -> None:
    post = make_draft()
    path = link(api, post)
    authors_api = api.acting_as(post.author)
    authors_api.patch(f"/posts/{post.pk}", {"title": "After"})
    assert api.get(path).json()["title"] == "After"
    authors_api.delete(f"/posts/{post.pk}")
    assert_problem(api.get(path), 404, "not_found")


def test_preview_link_expires_after_seven_days(api: Api) -> None:
    post = make_draft()
    path = link(api, post)
    with time_machine.travel(timezone.now() + timedelta(days=7, seconds=-60), tick=False):
        assert api.get(path).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(days=7, seconds=60), tick=False):
        assert_problem(api.get(path), 404, "not_found")


def test_forged_link_is_not_found(api: Api) -> None:
    path = link(api, make_draft())
    other = make_draft()
    stem, _, signature = path.rpartition("/")
    for forged in ("x", "1.2.3", f"{other.pk}.{signature.partition('.')[2]}", signature[:-1], "é"):
        assert_problem(api.get(f"{stem}/{forged}"), 404, "not_found")
    assert_problem(api.get(f"{stem}/{'a' * 201}"), 422, "validation_error", "#/path/token")


def test_only_users_who_may_change_the_post_create_a_link(api: Api) -> None:
    post = make_post()
    path = f"/posts/{post.pk}/preview-link"
    assert_problem(api.post(path), 401, "unauthenticated")
    assert_problem(api.acting_as(make_author()).post(path), 403, "forbidden")
    assert_problem(api.acting_as(make_author()).post(f"/posts/{make_draft().pk}/preview-link"), 404, "not_found")
    assert api.acting_as(make_editor()).post(path).status_code == 201
