"""`GET /authors` and `/authors/{username}`."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from tests.client import Api, assert_problem
from tests.factories import make_admin, make_author, make_draft, make_editor, make_post, make_scheduled, make_user


def test_list_contains_users_with_public_posts_ordered_by_username(api: Api) -> None:
    tomas, ines = make_author(username="tomas"), make_editor(username="ines", full_name="Ines Moreau", bio="Bakes.")
    hidden = make_author(username="hidden")
    make_user(username="reader")
    make_post(author=tomas)
    make_post(author=ines)
    make_post(author=ines)
    make_draft(author=ines)
    make_scheduled(author=ines)
    make_draft(author=hidden)
    expected: dict[str, Any] = {
        "items": [
            {"id": ines.pk, "username": "ines", "full_name": "Ines Moreau", "bio": "Bakes.", "post_count": 2},
            {"id": tomas.pk, "username": "tomas", "full_name": "", "bio": "", "post_count": 1},
        ],
        "next": None,
    }
    assert api.get("/authors").json() == expected
    assert api.acting_as(make_admin()).get("/authors").json() == expected
    assert api.get("/authors/ines").json() == expected["items"][0]


def test_authors_are_paginated(api: Api) -> None:
    for name in ("cccc", "aaaa", "bbbb"):
        make_post(author=make_author(username=name))
    first = api.get("/authors", {"limit": 2}).json()
    second = api.get("/authors", {"limit": 2, "cursor": first["next"]}).json()
    names = [[author["username"] for author in page["items"]] for page in (first, second)]
    assert names == [["aaaa", "bbbb"], ["cccc"]]
    assert second["next"] is None


@pytest.mark.parametrize("name", ["Ines", "ines", "INES"])
def test_username_in_the_path_ignores_case(api: Api, name: str) -> None:
    make_post(author=make_author(username="Ines"))
    assert api.get(f"/authors/{name}").json()["username"] == "Ines"


def test_user_without_public_posts_is_not_found(api: Api) -> None:
    author = make_author()
    make_draft(author=author)
    make_scheduled(author=author)
    for viewers_api in (api, api.acting_as(author), api.acting_as(make_admin())):
        assert_problem(viewers_api.get(f"/authors/{author.username}"), 404, "not_found")
    assert_problem(api.get("/authors/nobody"), 404, "not_found")


def test_author_is_not_found_after_the_last_post_is_unpublished(api: Api) -> None:
    post = make_post()
    path = f"/authors/{post.author.username}"
    assert api.get(path).status_code == 200
    api.acting_as(post.author).post(f"/posts/{post.pk}/unpublish")
    assert_problem(api.get(path), 404, "not_found")


@pytest.mark.parametrize("name", ["ab", "a" * 31, "in%C3%A8s", "a%00b", "a%20b"])
def test_invalid_username_is_refused(api: Api, name: str) -> None:
    assert_problem(api.get(f"/authors/{name}"), 422, "validation_error", "#/path/username")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"limit": 0}, "#/query/limit"),
        ({"limit": 101}, "#/query/limit"),
        ({"cursor": "forged"}, "#/query/cursor"),
        ({"q": "ines"}, "#/query/q"),
    ],
)
def test_invalid_query_parameter_is_refused(api: Api, query: dict[str, Any], pointer: str) -> None:
    assert_problem(api.get("/authors", query), 422, "validation_error", pointer)


def test_authors_take_one_query_that_reads_neither_email_nor_password(api: Api) -> None:
    make_post(author=make_author(username="ines"))
    for total in (1, 100):
        for _ in range(total - User.objects.count()):
            make_post()
        for path, items in (("/authors?limit=100", total), ("/authors/ines", None)):
            with CaptureQueriesContext(connection) as queries:
                response = api.get(path)
            assert items is None or len(response.json()["items"]) == items
            assert response.status_code == 200
            assert len(queries) == 1
            assert "password" not in queries[0]["sql"]
            assert "email" not in queries[0]["sql"]
