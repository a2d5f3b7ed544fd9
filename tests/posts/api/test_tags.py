"""`GET /tags` and `GET /tags/{tag}`."""

from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from posts.models import Post
from tests.client import Api, assert_problem
from tests.factories import make_admin, make_author, make_draft, make_post, make_scheduled


def test_list_is_ordered_by_name_with_counts_of_public_posts(api: Api) -> None:
    make_post(tags=["soup", "bread"])
    make_post(tags=["bread"])
    make_draft(tags=["bread", "secret"])
    make_scheduled(tags=["bread", "later"])
    expected = {"items": [{"name": "bread", "post_count": 2}, {"name": "soup", "post_count": 1}], "next": None}
    assert api.get("/tags").json() == expected
    assert api.acting_as(make_admin()).get("/tags").json() == expected


def test_tags_are_paginated(api: Api) -> None:
    make_post(tags=list("edcba"))
    first = api.get("/tags", {"limit": 2}).json()
    second = api.get("/tags", {"limit": 2, "cursor": first["next"]}).json()
    third = api.get("/tags", {"limit": 2, "cursor": second["next"]}).json()
    assert [[tag["name"] for tag in page["items"]] for page in (first, second, third)] == [
        ["a", "b"],
        ["c", "d"],
        ["e"],
    ]
    assert third["next"] is None


@pytest.mark.parametrize(
    ("q", "names"),
    [
        ("b", ["baking", "bread"]),
        ("BRE", ["bread"]),
        (" bread ", ["bread"]),
        ("read", []),
        ("%", []),
        ("_", []),
        ("É", ["été"]),
    ],
)
def test_q_filters_tags_by_prefix(api: Api, q: str, names: list[str]) -> None:
    make_post(tags=["bread", "baking", "soup", "été"])
    assert [tag["name"] for tag in api.get("/tags", {"q": q}).json()["items"]] == names


@pytest.mark.parametrize("tag", ["bread", "c++", "a/b", "two words", "été", "パン", "100%", "?", "#1", "."])
def test_tag_with_special_characters_can_be_read(api: Api, tag: str) -> None:
    make_post(tags=[tag])
    make_draft(tags=[tag])
    assert api.get(f"/tags/{quote(tag, safe='')}").json() == {"name": tag, "post_count": 1}


@pytest.mark.parametrize("path", ["BREAD", "%20bread%20", "Bread"])
def test_tag_in_the_path_ignores_case_and_outer_spaces(api: Api, path: str) -> None:
    make_post(tags=["bread"])
    assert api.get(f"/tags/{path}").json() == {"name": "bread", "post_count": 1}


def test_tag_without_public_posts_is_not_found(api: Api) -> None:
    make_draft(tags=["secret"])
    make_scheduled(tags=["secret"])
    assert_problem(api.get("/tags/secret"), 404, "not_found")
    assert_problem(api.acting_as(make_admin()).get("/tags/secret"), 404, "not_found")
    assert_problem(api.get("/tags/unknown"), 404, "not_found")


@pytest.mark.parametrize("tag", ["t" * 51, "a%00", "%20"])
def test_invalid_tag_is_refused(api: Api, tag: str) -> None:
    assert_problem(api.get(f"/tags/{tag}"), 422, "validation_error", "#/path/tag")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"limit": 0}, "#/query/limit"),
        ({"limit": 101}, "#/query/limit"),
        ({"cursor": "forged"}, "#/query/cursor"),
        ({"q": ""}, "#/query/q"),
        ({"q": "t" * 51}, "#/query/q"),
        ({"q": "\x00"}, "#/query/q"),
        ({"sort": "name"}, "#/query/sort"),
    ],
    ids=ascii,
)
def test_invalid_query_parameter_is_refused(api: Api, query: dict[str, Any], pointer: str) -> None:
    assert_problem(api.get("/tags", query), 422, "validation_error", pointer)


def test_tags_take_one_query_for_any_number_of_posts(api: Api) -> None:
    author = make_author()
    for total in (1, 100):
        for number in range(Post.objects.count(), total):
            make_post(author=author, tags=["common", f"tag-{number}"])
        for path in ("/tags?limit=100", "/tags/common"):
            with CaptureQueriesContext(connection) as queries:
                assert api.get(path).status_code == 200
            assert len(queries) == 1
    assert api.get("/tags/common").json()["post_count"] == 100
