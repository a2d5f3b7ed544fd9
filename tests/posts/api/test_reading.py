"""`GET /posts/{post_id}` and `GET /posts/by-slug/{slug}`."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from posts.models import Post
from tests.client import Api, assert_problem
from tests.factories import make_admin, make_author, make_draft, make_editor, make_post, make_scheduled, make_user


def test_public_post_is_readable_by_id_and_by_slug(api: Api) -> None:
    post = make_post(title="Été", content="Some *text*.", tags=["bread"])
    by_id, by_slug = api.get(f"/posts/{post.pk}"), api.get("/posts/by-slug/été")
    assert by_id.status_code == by_slug.status_code == 200
    assert by_id.json() == by_slug.json()
    result = by_id.json()
    assert (result["id"], result["slug"], result["status"], result["tags"]) == (post.pk, "été", "published", ["bread"])
    assert (result["content"], result["content_html"]) == ("Some *text*.", "<p>Some <em>text</em>.</p>\n")
    assert result["published_at"].endswith("Z")
    assert set(result["author"]) == {"id", "username", "full_name"}
    assert api.acting_as(make_user()).get(f"/posts/{post.pk}").json() == result


@pytest.mark.parametrize("make", [make_draft, make_scheduled])
@pytest.mark.parametrize(
    ("who", "status"),
    [("nobody", 404), ("reader", 404), ("stranger", 404), ("author", 200), ("editor", 200), ("admin", 200)],
)
def test_draft_and_scheduled_post_are_visible_to_owner_editor_and_admin_only(
    api: Api, make: Callable[..., Post], who: str, status: int
) -> None:
    author = make_author()
    post = make(author=author)
    users: dict[str, Callable[[], User]] = {
        "reader": make_user,
        "stranger": make_author,
        "author": lambda: author,
        "editor": make_editor,
        "admin": make_admin,
    }
    viewers_api = api.acting_as(users[who]()) if who in users else api
    for path in (f"/posts/{post.pk}", f"/posts/by-slug/{post.slug}"):
        response = viewers_api.get(path)
        if status == 404:
            assert_problem(response, 404, "not_found")
        else:
            assert response.json()["id"] == post.pk


def test_author_who_became_a_reader_does_not_see_own_drafts(api: Api) -> None:
    author = make_author()
    draft = make_draft(author=author)
    User.objects.filter(pk=author.pk).update(role="reader")
    assert_problem(api.acting_as(author).get(f"/posts/{draft.pk}"), 404, "not_found")


def test_hidden_and_missing_posts_get_the_same_response(api: Api) -> None:
    draft = make_draft()
    hidden, missing = api.get(f"/posts/{draft.pk}"), api.get(f"/posts/{2**63 - 1}")
    assert (hidden.status_code, hidden.content) == (missing.status_code, missing.content)
    hidden, missing = api.get(f"/posts/by-slug/{draft.slug}"), api.get("/posts/by-slug/nowhere")
    assert (hidden.status_code, hidden.content) == (missing.status_code, missing.content)


@pytest.mark.parametrize("post_id", [0, 2**63, 10**30])
def test_id_out_of_range_is_refused(api: Api, post_id: int) -> None:
    for method in ("GET", "HEAD"):
        response = api.send(method, f"/posts/{post_id}")
        assert response.status_code == 422
    assert_problem(api.get(f"/posts/{post_id}"), 422, "validation_error", "#/path/post_id")


@pytest.mark.parametrize("path", ["/posts/x", "/posts/-1", "/posts/1.0", f"/posts/{'9' * 5000}", "/posts/by-slug/"])
def test_path_that_matches_no_route_is_not_found(api: Api, path: str) -> None:
    assert_problem(api.get(path), 404, "not_found")


@pytest.mark.parametrize("slug", ["Upper", "a%20b", "-", "%C3%A9"])
def test_invalid_slug_is_not_found(api: Api, slug: str) -> None:
    assert_problem(api.get(f"/posts/by-slug/{slug}"), 404, "not_found")


@pytest.mark.parametrize("slug", ["s" * 101, "a%00b"])
def test_slug_with_nul_or_too_long_is_refused(api: Api, slug: str) -> None:
    assert_problem(api.get(f"/posts/by-slug/{slug}"), 422, "validation_error", "#/path/slug")


@pytest.mark.parametrize("path", ["/posts/{post.pk}", "/posts/by-slug/{post.slug}"])
def test_reading_a_post_takes_one_query_that_reads_no_password(api: Api, path: str) -> None:
    reader, post = make_user(), make_post(tags=[f"tag-{number}" for number in range(50)])
    for viewers_api, cost in ((api, 1), (api.acting_as(reader), 2)):
        with CaptureQueriesContext(connection) as queries:
            assert viewers_api.get(path.format(post=post)).status_code == 200
        assert len(queries) == cost
        assert not any("password" in query["sql"] for query in queries)
