"""Preview links."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from posts.models import Post
from tests.client import ROOT, Api, assert_problem
from tests.factories import make_author, make_draft, make_editor, make_post, make_scheduled


def link(api: Api, post: Post) -> str:
    answer = api.acting_as(post.author).post(f"/posts/{post.pk}/preview-link")
    assert answer.status_code == 201
    url: str = answer.json()["url"]
    assert url.startswith("http://127.0.0.1:8000/api/v1/posts/preview/")
    return url.partition(ROOT)[2]


@pytest.mark.parametrize("make", [make_draft, make_scheduled, make_post])
def test_anybody_with_the_link_reads_the_post(api: Api, make: Callable[[], Post]) -> None:
    post = make()
    response = api.get(link(api, post))
    assert response.json() == api.acting_as(post.author).get(f"/posts/{post.pk}").json()
    assert response["Cache-Control"] == "private, no-store"


def test_it_shows_the_post_as_it_is_now(api: Api) -> None:
    post = make_draft()
    path = link(api, post)
    authors_api = api.acting_as(post.author)
    authors_api.patch(f"/posts/{post.pk}", {"title": "After"})
    assert api.get(path).json()["title"] == "After"
    authors_api.delete(f"/posts/{post.pk}")
    assert_problem(api.get(path), 404, "not_found")


def test_it_expires(api: Api) -> None:
    post = make_draft()
    path = link(api, post)
    with time_machine.travel(timezone.now() + timedelta(days=7, seconds=-60), tick=False):
        assert api.get(path).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(days=7, seconds=60), tick=False):
        assert_problem(api.get(path), 404, "not_found")


def test_a_forged_link_is_404(api: Api) -> None:
    path = link(api, make_draft())
    other = make_draft()
    stem, _, signature = path.rpartition("/")
    for forged in ("x", "1.2.3", f"{other.pk}.{signature.partition('.')[2]}", signature[:-1], "é", "a" * 201):
        response = api.get(f"{stem}/{forged}")
        assert response.status_code in (404, 422), forged


def test_only_those_who_may_change_the_post_make_one(api: Api) -> None:
    post = make_post()
    path = f"/posts/{post.pk}/preview-link"
    assert_problem(api.post(path), 401, "unauthenticated")
    assert_problem(api.acting_as(make_author()).post(path), 403, "forbidden")
    assert_problem(api.acting_as(make_author()).post(f"/posts/{make_draft().pk}/preview-link"), 404, "not_found")
    assert api.acting_as(make_editor()).post(path).status_code == 201
