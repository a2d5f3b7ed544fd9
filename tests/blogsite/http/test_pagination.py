"""Pages of a list, and the keyset cursor that leads from one to the next."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import signing
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posts.models import Post
from tests.client import Api, assert_problem
from tests.factories import make_author, make_draft, make_editor, make_post, make_scheduled

SORTS = ["-published_at", "published_at", "-updated_at", "title"]


def walk(api: Api, query: dict[str, Any]) -> list[int]:
    """Follow the cursors from the first page to the last, and return the ids of all items."""
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
def test_rows_with_equal_sort_values_are_neither_skipped_nor_repeated(api: Api, sort: str) -> None:
    first = make_post(title="Same", published_at=timezone.now() - timedelta(days=1))
    for _ in range(22):
        make_post(title="Same", author=first.author, published_at=first.published_at)
    Post.objects.update(updated_at=first.updated_at)
    ids = walk(api, {"sort": sort, "limit": 5})
    expected = sorted(Post.objects.values_list("pk", flat=True), reverse=sort.startswith("-"))
    assert ids == expected


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
@pytest.mark.parametrize("sort", SORTS)
def test_pages_contain_every_post_once_and_null_times_last(api: Api, sort: str, limit: int) -> None:
    for make in (make_draft, make_post, make_scheduled, make_draft, make_post):
        make()
    ids = walk(api.acting_as(make_editor()), {"sort": sort, "limit": limit, "status": "all"})
    assert sorted(ids) == sorted(Post.objects.values_list("pk", flat=True))
    values = [getattr(Post.objects.get(pk=pk), sort.removeprefix("-")) for pk in ids]
    known = [value for value in values if value is not None]
    nulls = [None, None] if "published_at" in sort else []
    assert values == [*sorted(known, reverse=sort.startswith("-")), *nulls]


def test_insert_and_delete_between_pages_move_no_other_row(api: Api) -> None:
    old = [make_post(published_at=timezone.now() - timedelta(days=days)) for days in range(1, 7)]
    page = api.get("/posts", {"limit": 3}).json()
    make_post()
    Post.objects.filter(pk=old[0].pk).delete()
    rest = api.get("/posts", {"limit": 3, "cursor": page["next"]}).json()
    assert [item["id"] for item in page["items"] + rest["items"]] == [post.pk for post in old]


def test_cursor_has_only_url_safe_characters(api: Api) -> None:
    for _ in range(2):
        make_post()
    assert re.fullmatch(r"[A-Za-z0-9._-]+", api.get("/posts", {"limit": 1}).json()["next"])


def test_cursor_of_the_longest_title_is_accepted(api: Api) -> None:
    for _ in range(2):
        make_post(title="\U0001f600" * 200)
    cursor = api.get("/posts", {"limit": 1, "sort": "title"}).json()["next"]
    assert len(api.get("/posts", {"limit": 1, "sort": "title", "cursor": cursor}).json()["items"]) == 1


def test_forged_cursor_is_refused(api: Api) -> None:
    for _ in range(2):
        make_post()
    cursor = api.get("/posts", {"limit": 1}).json()["next"]
    forged = signing.Signer(salt="another", sep=".").sign_object(["-published_at", 1, 1])
    for bad in ("", "x", cursor[:-1], cursor[1:], forged, cursor + "x", "é"):
        assert_problem(api.get("/posts", {"cursor": bad}), 422, "validation_error", "#/query/cursor")


def test_cursor_of_another_sort_order_is_refused(api: Api) -> None:
    for _ in range(2):
        make_post()
    cursor = api.get("/posts", {"limit": 1, "sort": "title"}).json()["next"]
    assert_problem(api.get("/posts", {"cursor": cursor}), 422, "validation_error", "#/query/cursor")


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1" + "0" * 30, "1.5", ""])
def test_limit_out_of_range_is_refused_and_not_clamped(api: Api, limit: str) -> None:
    assert_problem(api.get("/posts", {"limit": limit}), 422, "validation_error", "#/query/limit")


SHARED = 300
MOMENT = timezone.now().replace(microsecond=0) - timedelta(days=1)
ROWS = 340
QUERIES: list[dict[str, str]] = [
    *({"sort": sort} for sort in SORTS),
    *({"sort": sort, "tag": "a"} for sort in SORTS),
    *({"sort": sort, "status": "all"} for sort in SORTS),
]
SORTED_BY = {"-published_at": "published_at", "published_at": "published_at", "-updated_at": "updated_at"}
TIMES = st.integers(-3, 3).map(lambda hours: MOMENT + timedelta(hours=hours))
CHANGES = st.fixed_dictionaries(
    {}, optional={"title": st.sampled_from("ABC"), "published_at": TIMES, "updated_at": TIMES, "content": st.just("")}
)
WRITES = st.one_of(
    st.tuples(st.just("insert"), TIMES),
    st.tuples(st.just("delete"), st.integers(0, ROWS - 1)),
    st.tuples(st.just("change"), st.integers(0, ROWS - 1), CHANGES),
)


@pytest.fixture
def rows(db: None) -> list[int]:
    """The ids of 340 posts: 300 have equal sort values, and the others sort before or after them or have no time."""
    author = make_author()
    Post.objects.bulk_create(
        Post(
            title="B" if number < SHARED else "ABC"[number % 3],
            slug=f"post-{number}",
            author=author,
            tags=["a", "b"],
            published=number < SHARED + 30,
            published_at=MOMENT if number < SHARED else MOMENT + timedelta(hours=number % 7 - 3),
            updated_at=MOMENT if number < SHARED else MOMENT + timedelta(hours=number % 7 - 3),
            reading_minutes=1,
        )
        for number in range(ROWS)
    )
    Post.objects.filter(published=False).update(published_at=None)
    return list(Post.objects.order_by("pk").values_list("pk", flat=True))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.sampled_from(QUERIES),
    limit=st.sampled_from([7, 50, 99, 100]),
    between=st.lists(st.lists(WRITES, max_size=20), max_size=8),
)
def test_row_with_unchanged_sort_value_is_neither_skipped_nor_repeated(
    api: Api, rows: list[int], query: dict[str, str], limit: int, between: list[list[tuple[Any, ...]]]
) -> None:
    with transaction.atomic():
        caller = api.acting_as(make_editor()) if "status" in query else api
        seen: list[int] = []
        moved: set[int] = set()
        cursor = None
        writes = iter(between)
        while True:
            page = caller.get("/posts", query | {"limit": limit} | ({"cursor": cursor} if cursor else {})).json()
            seen += [item["id"] for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
            for write in next(writes, []):
                moved |= perform(write, rows, SORTED_BY.get(query["sort"], "title"))
        everything = Post.objects.all() if "status" in query else Post.objects.filter(published=True)
        kept = everything.filter(pk__in=set(rows) - moved)
        assert sorted(pk for pk in seen if pk in set(rows) - moved) == sorted(kept.values_list("pk", flat=True))
        transaction.set_rollback(True)


def perform(write: tuple[Any, ...], rows: list[int], sorted_by: str) -> set[int]:
    """Perform one write, and return the ids of the rows whose position in the list it may have changed."""
    match write:
        case "insert", moment:
            post = make_post(title="B", published_at=moment, tags=["a"])
            Post.objects.filter(pk=post.pk).update(updated_at=moment)
            return {post.pk}
        case "delete", number:
            Post.objects.filter(pk=rows[number]).delete()
            return {rows[number]}
    _, number, change = write
    Post.objects.filter(pk=rows[number]).update(**change)
    return {rows[number]} if sorted_by in change else set()
