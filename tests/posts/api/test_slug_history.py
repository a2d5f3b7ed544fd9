"""Slugs that a post had before."""

from tests.client import Api, assert_problem
from tests.factories import make_author, make_draft, make_post


def test_a_former_slug_sends_on_to_the_present_one(api: Api) -> None:
    author = make_author()
    authors_api = api.acting_as(author)
    post = make_post(author=author, slug="first")
    for slug in ("second", "third"):
        assert authors_api.patch(f"/posts/{post.pk}", {"slug": slug}).status_code == 200
    for slug in ("first", "second"):
        response = api.get(f"/posts/by-slug/{slug}")
        assert (response.status_code, response.content) == (308, b"")
        assert response["Location"].endswith("/api/v1/posts/by-slug/third")
    assert api.get("/posts/by-slug/third").json()["id"] == post.pk


def test_a_slug_that_comes_back_is_no_former_one(api: Api) -> None:
    author = make_author()
    authors_api = api.acting_as(author)
    post = make_post(author=author, slug="first")
    for slug in ("second", "first"):
        authors_api.patch(f"/posts/{post.pk}", {"slug": slug})
    assert api.get("/posts/by-slug/first").status_code == 200
    assert api.get("/posts/by-slug/second").status_code == 308


def test_a_slug_made_from_a_title_avoids_former_ones_and_a_given_one_takes_it(api: Api) -> None:
    author = make_author()
    authors_api = api.acting_as(author)
    post = make_post(author=author, title="Bread")
    authors_api.patch(f"/posts/{post.pk}", {"slug": "loaf"})
    assert authors_api.post("/posts", {"title": "Bread", "content": ""}).json()["slug"] == "bread-2"
    assert api.get("/posts/by-slug/bread").status_code == 308
    taking = authors_api.post("/posts", {"title": "Other", "content": "", "slug": "bread", "published": True})
    assert taking.status_code == 201
    assert api.get("/posts/by-slug/bread").json()["id"] == taking.json()["id"]


def test_a_former_slug_tells_nobody_of_a_post_that_they_may_not_see(api: Api) -> None:
    author = make_author()
    post = make_draft(author=author, slug="first")
    authors_api = api.acting_as(author)
    authors_api.patch(f"/posts/{post.pk}", {"slug": "second"})
    assert authors_api.get("/posts/by-slug/first").status_code == 308
    assert_problem(api.get("/posts/by-slug/first"), 404, "not_found")
    assert_problem(api.acting_as(make_author()).get("/posts/by-slug/first"), 404, "not_found")
