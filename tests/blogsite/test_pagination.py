"""The keyset cursor."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import signing
from django.utils import timezone

from posts.models import Post
from tests.client import Api, assert_problem
from tests.factories import make_draft, make_editor, make_post, make_scheduled

SORTS = ["-published_at", "published_at", "-updated_at", "title"]


def walk(api: Api, query: dict[str, Any]) -> list[int]:
    """The ids of all pages, one behind the other."""
    ids: list[int] = []
    cursor = None
    while True:
        page = api.get("/posts", query | ({"cursor": cursor} if cursor else {})).json()
        ids += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            return ids
        assert len(page["items"]) == query["limit"]


@pytest.mark.parametrize("sort", SORTS)
def test_pages_neither_skip_nor_repeat_though_all_rows_share_their_values(api: Api, sort: str) -> None:
    first = make_post(title="Same", published_at=timezone.now() - timedelta(days=1))
    for _ in range(22):
        make_post(title="Same", author=first.author, published_at=first.published_at)
    Post.objects.update(updated_at=first.updated_at)
    ids = walk(api, {"sort": sort, "limit": 5})
    expected = sorted(Post.objects.values_list("pk", flat=True), reverse=sort.startswith("-"))
    assert ids == expected


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
@pytest.mark.parametrize("sort", SORTS)
def test_posts_without_a_time_come_last(api: Api, sort: str, limit: int) -> None:
    for make in (make_draft, make_post, make_scheduled, make_draft, make_post):
        make()
    ids = walk(api.acting_as(make_editor()), {"sort": sort, "limit": limit, "status": "all"})
    assert sorted(ids) == sorted(Post.objects.values_list("pk", flat=True))
    if "published_at" in sort:
        times = [Post.objects.get(pk=pk).published_at for pk in ids]
        dated = [moment for moment in times if moment]
        assert times == [*sorted(dated, reverse=sort.startswith("-")), None, None]


def test_rows_written_meanwhile_move_no_other_row(api: Api) -> None:
    old = [make_post(published_at=timezone.now() - timedelta(days=days)) for days in range(1, 7)]
    page = api.get("/posts", {"limit": 3}).json()
    make_post()
    Post.objects.filter(pk=old[0].pk).delete()
    rest = api.get("/posts", {"limit": 3, "cursor": page["next"]}).json()
    assert [item["id"] for item in page["items"] + rest["items"]] == [post.pk for post in old]


def test_a_cursor_is_safe_in_an_address(api: Api) -> None:
    for _ in range(2):
        make_post()
    assert re.fullmatch(r"[A-Za-z0-9._-]+", api.get("/posts", {"limit": 1}).json()["next"])


def test_the_longest_title_gives_a_cursor_that_is_taken_back(api: Api) -> None:
    for _ in range(2):
        make_post(title="\U0001f600" * 200)
    cursor = api.get("/posts", {"limit": 1, "sort": "title"}).json()["next"]
    assert len(api.get("/posts", {"limit": 1, "sort": "title", "cursor": cursor}).json()["items"]) == 1


def test_a_forged_cursor_is_refused(api: Api) -> None:
    for _ in range(2):
        make_post()
    cursor = api.get("/posts", {"limit": 1}).json()["next"]
    forged = signing.Signer(salt="another", sep=".").sign_object(["-published_at", 1, 1])
    for bad in ("", "x", cursor[:-1], cursor[1:], forged, cursor + "x", "é"):
        assert_problem(api.get("/posts", {"cursor": bad}), 422, "validation_error", "#/query/cursor")


def test_a_cursor_of_another_order_is_refused(api: Api) -> None:
    for _ in range(2):
        make_post()
    cursor = api.get("/posts", {"limit": 1, "sort": "title"}).json()["next"]
    assert_problem(api.get("/posts", {"cursor": cursor}), 422, "validation_error", "#/query/cursor")


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1" + "0" * 30, "1.5", ""])
def test_a_limit_out_of_bounds_is_refused_and_not_clamped(api: Api, limit: str) -> None:
    assert_problem(api.get("/posts", {"limit": limit}), 422, "validation_error", "#/query/limit")
