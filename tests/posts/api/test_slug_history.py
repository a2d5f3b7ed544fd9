"""`GET /posts/by-slug/{slug}` with a former slug of a post."""

from tests.client import Api, assert_problem
from tests.factories import make_author, make_draft, make_post


def test_former_slug_redirects_to_the_current_one(api: Api) -> None:
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


def test_slug_that_is_current_again_does_not_redirect(api: Api) -> None:
    author = make_author()
    authors_api = api.acting_as(author)
    post = make_post(author=author, slug="first")
    for slug in ("second", "first"):
        authors_api.patch(f"/posts/{post.pk}", {"slug": slug})
    assert api.get("/posts/by-slug/first").status_code == 200
    assert api.get("/posts/by-slug/second").status_code == 308


def test_generated_slug_avoids_former_slugs_and_explicit_slug_takes_one(api: Api) -> None:
    author = make_author()
    authors_api = api.acting_as(author)
    post = make_post(author=author, title="Bread")
    authors_api.patch(f"/posts/{post.pk}", {"slug": "loaf"})
    assert authors_api.post("/posts", {"title": "Bread", "content": ""}).json()["slug"] == "bread-2"
    assert api.get("/posts/by-slug/bread").status_code == 308
    taking = authors_api.post("/posts", {"title": "Other", "content": "", "slug": "bread", "published": True})
    assert taking.status_code == 201
    assert api.get("/posts/by-slug/bread").json()["id"] == taking.json()["id"]


def test_former_slug_of_a_hidden_post_is_not_found(api: Api) -> None:
    author = make_author()
    post = make_draft(author=author, slug="first")
    authors_api = api.acting_as(author)
    authors_api.patch(f"/posts/{post.pk}", {"slug": "second"})
    assert authors_api.get("/posts/by-slug/first").status_code == 308
    assert_problem(api.get("/posts/by-slug/first"), 404, "not_found")
    assert_problem(api.acting_as(make_author()).get("/posts/by-slug/first"), 404, "not_found")
