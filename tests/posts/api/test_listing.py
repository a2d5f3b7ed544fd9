"""`GET /posts`: filters, orders, pages, and the number of queries."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from posts.models import Post
from tests.client import Api, assert_problem
from tests.factories import make_admin, make_author, make_draft, make_editor, make_post, make_scheduled, make_user

DAY = datetime(2026, 1, 1, tzinfo=UTC)


def titles(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [post["title"] for post in response.json()["items"]]


def pages(api: Api, query: dict[str, Any]) -> list[list[str]]:
    found, cursor = [], None
    while True:
        response = api.get("/posts", {**query, **({"cursor": cursor} if cursor else {})})
        found.append(titles(response))
        cursor = response.json()["next"]
        if cursor is None:
            return found


def test_items_are_the_post_without_its_content(api: Api) -> None:
    post = make_post(content="Some *text*.", tags=["bread"])
    response = api.get("/posts")
    assert set(response.json()) == {"items", "next"}
    assert response.json()["next"] is None
    summary = api.get(f"/posts/{post.pk}").json()
    del summary["content"], summary["content_html"]
    assert response.json()["items"] == [summary]


def test_include_content_adds_the_content(api: Api) -> None:
    post = make_post(content="Some *text*.")
    items = api.get("/posts", {"include": "content"}).json()["items"]
    assert items == [api.get(f"/posts/{post.pk}").json()]
    assert items[0]["content_html"] == "<p>Some <em>text</em>.</p>\n"


def test_default_list_has_only_public_posts_even_for_admins(api: Api) -> None:
    author = make_author()
    make_post(title="public")
    make_draft(author=author)
    make_scheduled(author=author)
    for viewers_api in (api, *(api.acting_as(user) for user in (author, make_user(), make_editor(), make_admin()))):
        assert titles(viewers_api.get("/posts")) == ["public"]


@pytest.mark.parametrize(
    ("who", "status", "expected"),
    [
        ("nobody", "published", {"public", "own public"}),
        ("nobody", "draft", set()),
        ("nobody", "scheduled", set()),
        ("nobody", "all", {"public", "own public"}),
        ("reader", "draft", set()),
        ("reader", "scheduled", set()),
        ("reader", "all", {"public", "own public"}),
        ("author", "published", {"public", "own public"}),
        ("author", "draft", {"own draft"}),
        ("author", "scheduled", {"own scheduled"}),
        ("author", "all", {"public", "own public", "own draft", "own scheduled"}),
        ("editor", "published", {"public", "own public"}),
        ("editor", "draft", {"draft", "own draft"}),
        ("editor", "scheduled", {"scheduled", "own scheduled"}),
        ("editor", "all", {"public", "own public", "draft", "own draft", "scheduled", "own scheduled"}),
        ("admin", "draft", {"draft", "own draft"}),
        ("admin", "all", {"public", "own public", "draft", "own draft", "scheduled", "own scheduled"}),
    ],
)
def test_status_filter_lists_what_the_caller_may_see(api: Api, who: str, status: str, expected: set[str]) -> None:
    author = make_author()
    make_post(title="public")
    make_draft(title="draft")
    make_scheduled(title="scheduled")
    make_post(author=author, title="own public")
    make_draft(author=author, title="own draft")
    make_scheduled(author=author, title="own scheduled")
    users = {"reader": make_user, "author": lambda: author, "editor": make_editor, "admin": make_admin}
    viewers_api = api.acting_as(users[who]()) if who in users else api
    response = viewers_api.get("/posts", {"status": status, "count": "true"})
    assert set(titles(response)) == expected
    assert response.json()["count"] == len(expected)
    if status != "all":
        assert {post["status"] for post in response.json()["items"]} == ({status} if expected else set())


def test_repeated_tag_filter_requires_all_tags(api: Api) -> None:
    make_post(title="both", tags=["bread", "soup"])
    make_post(title="bread", tags=["bread"])
    make_draft(tags=["bread", "soup"])
    assert set(titles(api.get("/posts", {"tag": "bread"}))) == {"both", "bread"}
    assert titles(api.get("/posts", {"tag": ["soup", "bread"]})) == ["both"]
    assert titles(api.get("/posts", {"tag": [" SOUP ", "soup"]})) == ["both"]
    assert titles(api.get("/posts", {"tag": ["soup", "trains"]})) == []
    assert titles(api.get("/posts", {"tag": "brea"})) == []


def test_author_filter_ignores_case(api: Api) -> None:
    make_post(author=make_author(username="Ines"), title="theirs")
    make_post()
    for name in ("Ines", "ines", "INES"):
        assert titles(api.get("/posts", {"author": name})) == ["theirs"]
    assert titles(api.get("/posts", {"author": "nobody"})) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"published_after": "2026-01-02T00:00:00Z"}, ["3"]),
        ({"published_before": "2026-01-02T00:00:00Z"}, ["1"]),
        ({"published_after": "2026-01-01T23:59:59.999999Z", "published_before": "2026-01-02T00:00:00.000001Z"}, ["2"]),
        ({"published_after": "2026-01-02T02:00:00+02:00"}, ["3"]),
        ({"published_after": "2026-01-03T00:00:00Z"}, []),
    ],
)
def test_published_after_and_published_before_are_exclusive(
    api: Api, query: dict[str, str], expected: list[str]
) -> None:
    for number in (1, 2, 3):
        make_post(title=str(number), published_at=DAY + timedelta(days=number - 1))
    assert titles(api.get("/posts", query)) == expected


def test_filters_are_combined_with_and(api: Api) -> None:
    author = make_author(username="ines")
    make_post(author=author, title="found", tags=["bread"], published_at=DAY)
    make_post(author=author, title="older", tags=["bread"], published_at=DAY - timedelta(days=9))
    make_post(author=author, title="untagged", published_at=DAY)
    make_post(title="somebody's", tags=["bread"], published_at=DAY)
    query = {"author": "ines", "tag": "bread", "published_after": "2025-12-31T00:00:00Z", "count": "true"}
    response = api.get("/posts", query)
    assert (titles(response), response.json()["count"]) == (["found"], 1)


@pytest.fixture
def author_of_three(db: None) -> User:
    """The author of three public posts, which have another order for each sort key."""
    author = make_author()
    posts = [
        make_post(author=author, title=title, published_at=DAY + timedelta(days=day))
        for title, day in (("b", 1), ("c", 3), ("a", 2))
    ]
    for minute, post in enumerate((posts[1], posts[0], posts[2])):
        Post.objects.filter(pk=post.pk).update(updated_at=DAY + timedelta(minutes=minute))
    return author


ORDERS = [
    (None, ["c", "a", "b"]),
    ("-published_at", ["c", "a", "b"]),
    ("published_at", ["b", "a", "c"]),
    ("-updated_at", ["a", "b", "c"]),
    ("title", ["a", "b", "c"]),
]


@pytest.mark.parametrize(("sort", "expected"), ORDERS)
def test_sort_orders_the_list_and_its_pages(
    api: Api, author_of_three: User, sort: str | None, expected: list[str]
) -> None:
    query = {"sort": sort} if sort else {}
    assert titles(api.get("/posts", query)) == expected
    assert pages(api, {**query, "limit": 1}) == [[title] for title in expected]


@pytest.mark.parametrize("status", ["draft", "all"])
def test_drafts_and_all_posts_are_sorted_by_last_change_by_default(api: Api, status: str) -> None:
    author = make_author()
    posts = [make_draft(author=author, title=title) for title in "abc"]
    for minute, post in enumerate((posts[1], posts[2], posts[0])):
        Post.objects.filter(pk=post.pk).update(updated_at=DAY + timedelta(minutes=minute))
    authors_api = api.acting_as(author)
    assert titles(authors_api.get("/posts", {"status": status})) == ["a", "c", "b"]
    assert titles(authors_api.get("/posts", {"status": status, "sort": "title"})) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("sort", "expected"), [("-published_at", ["c", "a", "y", "x"]), ("published_at", ["a", "c", "x", "y"])]
)
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_null_published_at_sorts_last_across_pages(api: Api, sort: str, expected: list[str], limit: int) -> None:
    author = make_author()
    make_draft(author=author, title="x")
    make_post(author=author, title="c", published_at=DAY + timedelta(days=1))
    make_draft(author=author, title="a", published_at=DAY)
    make_draft(author=author, title="y")
    found = pages(api.acting_as(author), {"status": "all", "sort": sort, "limit": limit})
    assert [title for page in found for title in page] == expected
    assert all(len(page) <= limit for page in found)


@pytest.mark.parametrize("sort", ["-published_at", "published_at", "-updated_at", "title"])
def test_pages_neither_skip_nor_repeat_posts_with_equal_sort_values(api: Api, sort: str) -> None:
    author = make_author()
    posts = Post.objects.bulk_create(
        Post(
            title="Same",
            slug=f"same-{number}",
            author=author,
            published=True,
            published_at=DAY,
            updated_at=DAY,
            reading_minutes=1,
        )
        for number in range(25)
    )
    seen, cursor = [], None
    while True:
        page = api.get("/posts", {"sort": sort, "limit": 4, **({"cursor": cursor} if cursor else {})}).json()
        seen += [post["id"] for post in page["items"]]
        if (cursor := page["next"]) is None:
            break
    ids = [post.pk for post in posts]
    assert seen == (ids[::-1] if sort.startswith("-") else ids)


def test_default_limit_is_20(api: Api) -> None:
    author = make_author()
    for _ in range(21):
        make_post(author=author)
    assert len(api.get("/posts").json()["items"]) == 20
    assert len(api.get("/posts", {"limit": 100}).json()["items"]) == 21
    page = api.get("/posts", {"limit": 1}).json()
    assert len(page["items"]) == 1
    assert page["next"]


def test_count_covers_all_pages_and_is_present_only_on_request(api: Api) -> None:
    for _ in range(3):
        make_post()
    make_draft()
    assert api.get("/posts", {"limit": 2, "count": "true"}).json()["count"] == 3
    for query in ({}, {"count": "false"}):
        assert "count" not in api.get("/posts", query).json()


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"limit": 0}, "#/query/limit"),
        ({"limit": 101}, "#/query/limit"),
        ({"limit": -1}, "#/query/limit"),
        ({"limit": 10**30}, "#/query/limit"),
        ({"limit": ""}, "#/query/limit"),
        ({"cursor": "forged"}, "#/query/cursor"),
        ({"cursor": "x" * 2001}, "#/query/cursor"),
        ({"status": "trash"}, "#/query/status"),
        ({"status": "Draft"}, "#/query/status"),
        ({"sort": "id"}, "#/query/sort"),
        ({"sort": "-title"}, "#/query/sort"),
        ({"include": "author"}, "#/query/include"),
        ({"count": "maybe"}, "#/query/count"),
        ({"author": "a" * 31}, "#/query/author"),
        ({"author": "\x00"}, "#/query/author"),
        ({"published_after": "yesterday"}, "#/query/published_after"),
        ({"published_before": "2026-01-01T00:00:00"}, "#/query/published_before"),
        ({"published_before": 10**30}, "#/query/published_before"),
        ({"offset": 1}, "#/query/offset"),
        ({"Limit": 1}, "#/query/Limit"),
        ({"author__password": "x"}, "#/query/author__password"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_invalid_query_parameter_is_refused(api: Api, query: dict[str, Any], pointer: str) -> None:
    assert_problem(api.get("/posts", query), 422, "validation_error", pointer)


@pytest.mark.parametrize(
    ("tags", "pointer"), [("", "#/query/tag/0"), (["good", "t" * 51], "#/query/tag/1"), ("\x00", "#/query/tag/0")]
)
def test_error_for_an_invalid_tag_filter_points_at_the_tag(api: Api, tags: Any, pointer: str) -> None:
    assert_problem(api.get("/posts", {"tag": tags}), 422, "validation_error", pointer)


def test_cursor_of_another_sort_order_is_refused(api: Api) -> None:
    for _ in range(2):
        make_post()
    cursor = api.get("/posts", {"limit": 1}).json()["next"]
    response = api.get("/posts", {"sort": "title", "cursor": cursor})
    assert_problem(response, 422, "validation_error", "#/query/cursor")
    assert_problem(api.get("/posts", {"cursor": cursor[:-1]}), 422, "validation_error", "#/query/cursor")


@pytest.mark.parametrize(
    ("query", "cost"),
    [
        ({}, 1),
        ({"include": "content"}, 1),
        ({"count": "true"}, 2),
        ({"status": "all", "sort": "title"}, 1),
        ({"tag": "common", "author": "ines"}, 1),
    ],
)
def test_number_of_queries_is_constant_and_no_query_reads_a_password(
    api: Api, query: dict[str, str], cost: int
) -> None:
    author, editor = make_author(username="ines"), make_editor()
    for total in (1, 100):
        for _ in range(total - Post.objects.count()):
            make_post(author=author, tags=["common"])
        for viewers_api, authentication in ((api, 0), (api.acting_as(editor), 1)):
            with CaptureQueriesContext(connection) as queries:
                assert len(titles(viewers_api.get("/posts", {**query, "limit": 100}))) == total
            assert len(queries) == cost + authentication
            assert not any("password" in captured["sql"] for captured in queries)


def test_list_without_content_does_not_read_content_or_email(api: Api) -> None:
    make_post()
    with CaptureQueriesContext(connection) as queries:
        api.get("/posts")
    assert '"content"' not in queries[0]["sql"]
    assert "email" not in queries[0]["sql"]
