"""`POST /posts`, `PATCH /posts/{post_id}` and `DELETE /posts/{post_id}`."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from accounts.models import User
from posts.models import Post
from tests.client import Api, assert_problem, is_about_now
from tests.factories import make_admin, make_author, make_draft, make_editor, make_post, make_scheduled, make_user

NEW = {"title": "Rye and time", "content": "Some *text*."}
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
LATER = datetime(2100, 1, 1, tzinfo=UTC)
MIB = 1024 * 1024


@pytest.fixture
def author(db: None) -> User:
    return make_author(username="ines", full_name="Ines Moreau")


@pytest.fixture
def authors_api(api: Api, author: User) -> Api:
    return api.acting_as(author)


def stored(post: Post) -> Any:
    return Post.objects.filter(pk=post.pk).values().get()


def test_create_returns_the_post_and_its_location(authors_api: Api, author: User) -> None:
    response = authors_api.post("/posts", {**NEW, "tags": ["bread"], "excerpt": " Slowly. "})
    assert response.status_code == 201
    post = Post.objects.get()
    result = authors_api.get(f"/posts/{post.pk}").json()
    assert result == response.json()
    assert response["Location"] == f"http://testserver/api/v1/posts/{post.pk}"
    assert is_about_now(result.pop("created_at"))
    assert is_about_now(result.pop("updated_at"))
    assert result == {
        "id": post.pk,
        "title": "Rye and time",
        "slug": "rye-and-time",
        "excerpt": "Slowly.",
        "tags": ["bread"],
        "published": False,
        "published_at": None,
        "status": "draft",
        "author": {"id": author.pk, "username": "ines", "full_name": "Ines Moreau"},
        "cover_image": None,
        "reading_minutes": 1,
        "version": 1,
        "highlight": None,
        "content": "Some *text*.",
        "content_html": "<p>Some <em>text</em>.</p>\n",
    }


@pytest.mark.parametrize(
    ("make", "status"), [(make_user, 403), (make_author, 201), (make_editor, 201), (make_admin, 201)]
)
def test_authors_editors_and_admins_may_create_posts(api: Api, make: Callable[[], User], status: int) -> None:
    response = api.acting_as(make()).post("/posts", NEW)
    assert response.status_code == status
    assert Post.objects.count() == (status == 201)


def test_create_without_a_token_is_refused(api: Api) -> None:
    assert_problem(api.post("/posts", NEW), 401, "unauthenticated")
    assert not Post.objects.exists()


@pytest.mark.parametrize(
    ("fields", "status", "published_at"),
    [
        ({"published": True}, "published", "now"),
        ({"published": True, "published_at": None}, "published", "now"),
        ({"published": True, "published_at": "2020-01-01T00:00:00Z"}, "published", "2020-01-01T00:00:00Z"),
        ({"published": True, "published_at": "2100-01-01T02:00:00+02:00"}, "scheduled", "2100-01-01T00:00:00Z"),
        ({"published": False, "published_at": "2020-01-01T00:00:00Z"}, "draft", "2020-01-01T00:00:00Z"),
        ({}, "draft", None),
    ],
)
def test_create_can_publish_or_schedule(
    authors_api: Api, fields: dict[str, Any], status: str, published_at: str | None
) -> None:
    result = authors_api.post("/posts", {**NEW, **fields}).json()
    assert result["status"] == status
    if published_at == "now":
        assert is_about_now(result["published_at"])
    else:
        assert result["published_at"] == published_at


def test_equal_titles_get_distinct_slugs(authors_api: Api) -> None:
    slugs = [
        authors_api.post("/posts", {**NEW, "title": title}).json()["slug"] for title in ("Été", "été!", "🍞", "🥖")
    ]
    assert slugs == ["été", "été-2", "post", "post-2"]


def test_taken_slug_is_a_conflict_and_stores_nothing(authors_api: Api, author: User) -> None:
    make_post(slug="rye")
    post = make_post(author=author, slug="oats", title="Before")
    assert_problem(authors_api.post("/posts", {**NEW, "slug": "rye"}), 409, "slug_taken")
    assert_problem(authors_api.patch(f"/posts/{post.pk}", {"title": "After", "slug": "rye"}), 409, "slug_taken")
    assert (stored(post)["title"], stored(post)["slug"], stored(post)["version"]) == ("Before", "oats", 1)
    assert Post.objects.count() == 2


def test_slug_of_a_hidden_post_is_taken(authors_api: Api) -> None:
    make_draft(slug="secret")
    assert_problem(authors_api.post("/posts", {**NEW, "slug": "secret"}), 409, "slug_taken")


def test_patch_with_the_own_slug_is_no_conflict(authors_api: Api, author: User) -> None:
    post = make_post(author=author, slug="rye")
    result = authors_api.patch(f"/posts/{post.pk}", {"slug": "rye", "title": "After"}).json()
    assert (result["slug"], result["title"]) == ("rye", "After")


@pytest.mark.parametrize(
    ("sent", "tags"),
    [
        (["bread", "soup"], ["bread", "soup"]),
        (["zebra", "apple"], ["zebra", "apple"]),
        (["  Bread ", "BREAD", "bread"], ["bread"]),
        (["b", "a", "B", "c", "A"], ["b", "a", "c"]),
        (["Straße", "STRASSE"], ["strasse"]),
        (["e\u0301te\u0301", "Été"], ["été"]),
        (["\u00a0soup\n"], ["soup"]),
        (["two words"], ["two words"]),
        (["a" * 50], ["a" * 50]),
        ([f"tag-{n}" for n in range(50)], [f"tag-{n}" for n in range(50)]),
        ([], []),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_tags_are_normalised_and_keep_their_order(authors_api: Api, sent: list[str], tags: list[str]) -> None:
    response = authors_api.post("/posts", {**NEW, "tags": sent})
    assert response.json()["tags"] == tags
    post_id = response.json()["id"]
    assert authors_api.patch(f"/posts/{post_id}", {"tags": ["other"]}).json()["tags"] == ["other"]
    assert authors_api.patch(f"/posts/{post_id}", {"tags": sent}).json()["tags"] == tags


@pytest.mark.parametrize(
    "field",
    [
        {"title": "é" * 200},
        {"slug": "é" * 100},
        {"excerpt": "é" * 500},
        {"content": "é" * (MIB // 2)},
        {"content": ""},
        {"excerpt": "x", "tags": ["パン", "🍞"]},
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_values_of_maximal_length_are_stored_whole(authors_api: Api, field: dict[str, Any]) -> None:
    response = authors_api.post("/posts", {**NEW, **field})
    assert response.status_code == 201
    assert {name: response.json()[name] for name in field} == field


BAD_IN_BOTH: list[tuple[dict[str, Any], str]] = [
    ({"title": ""}, "#/title"),
    ({"title": " \n "}, "#/title"),
    ({"title": "t" * 201}, "#/title"),
    ({"title": "\x00"}, "#/title"),
    ({"title": "\ud800"}, "#/title"),
    ({"title": None}, "#/title"),
    ({"title": 10**30}, "#/title"),
    ({"title": ["T"]}, "#/title"),
    ({"content": "é" * (MIB // 2) + "e"}, "#/content"),
    ({"content": "a\x00b"}, "#/content"),
    ({"content": "a\udfffb"}, "#/content"),
    ({"content": None}, "#/content"),
    ({"content": 1.5}, "#/content"),
    ({"tags": None}, "#/tags"),
    ({"tags": "bread"}, "#/tags"),
    ({"tags": {"0": "bread"}}, "#/tags"),
    ({"tags": ["x"] * 51}, "#/tags"),
    ({"tags": ["good", "t" * 51]}, "#/tags/1"),
    ({"tags": ["good", "", "  "]}, "#/tags/1 #/tags/2"),
    ({"tags": ["\x00"]}, "#/tags/0"),
    ({"tags": ["\ud800"]}, "#/tags/0"),
    ({"tags": [None, 1, ["x"]]}, "#/tags/0 #/tags/1 #/tags/2"),
    ({"slug": ""}, "#/slug"),
    ({"slug": "Upper"}, "#/slug"),
    ({"slug": "a b"}, "#/slug"),
    ({"slug": "a--b"}, "#/slug"),
    ({"slug": "-a"}, "#/slug"),
    ({"slug": "../a"}, "#/slug"),
    ({"slug": "e\u0301"}, "#/slug"),
    ({"slug": "s" * 101}, "#/slug"),
    ({"slug": "s\x00"}, "#/slug"),
    ({"slug": "s\ud800"}, "#/slug"),
    ({"slug": 7}, "#/slug"),
    ({"excerpt": "e" * 501}, "#/excerpt"),
    ({"excerpt": "\x00"}, "#/excerpt"),
    ({"excerpt": "\ud800"}, "#/excerpt"),
    ({"excerpt": False}, "#/excerpt"),
    ({"published": None}, "#/published"),
    ({"published": "true"}, "#/published"),
    ({"published": 1}, "#/published"),
    ({"published_at": "2026-01-01"}, "#/published_at"),
    ({"published_at": "2026-01-01T12:00:00"}, "#/published_at"),
    ({"published_at": "2026-02-30T12:00:00Z"}, "#/published_at"),
    ({"published_at": "0001-01-01T00:00:00+10:00"}, "#/published_at"),
    ({"published_at": "tomorrow"}, "#/published_at"),
    ({"published_at": "\ud800"}, "#/published_at"),
    ({"published_at": 1767225600}, "#/published_at"),
    ({"published_at": 10**30}, "#/published_at"),
    ({"published_at": {}}, "#/published_at"),
    ({"author": 1}, "#/author"),
    ({"author_id": 1}, "#/author_id"),
    ({"role": "admin"}, "#/role"),
    ({"is_staff": True}, "#/is_staff"),
    ({"id": 1}, "#/id"),
    ({"version": 10**30}, "#/version"),
    ({"status": "published"}, "#/status"),
    ({"created_at": "2020-01-01T00:00:00Z"}, "#/created_at"),
    ({"content_html": "<script>"}, "#/content_html"),
    ({"Title": "x"}, "#/Title"),
    ({"a/b~c": 1}, "#/a~1b~0c"),
]


@pytest.mark.parametrize(("fields", "pointers"), BAD_IN_BOTH, ids=lambda value: ascii(value)[:40])
def test_error_points_at_the_invalid_field_and_nothing_is_stored(
    authors_api: Api, author: User, fields: Any, pointers: str
) -> None:
    response = authors_api.post("/posts", {**NEW, **fields})
    assert_problem(response, 422, "validation_error", *pointers.split())
    assert not Post.objects.exists()
    post = make_post(author=author)
    before = stored(post)
    response = authors_api.patch(f"/posts/{post.pk}", {"tags": ["new"], "title": "After", **fields})
    assert_problem(response, 422, "validation_error", *pointers.split())
    assert stored(post) == before


@pytest.mark.parametrize(
    "moment",
    [
        "2026-01-01T12:00:00Z\x00",
        "2026-01-01T12:00:00Z\x00<script>",
        "20260101T120000Z",
        "2026-W01-1T12:00:00Z",
        "2026-1-1T2:00Z",
        "２０２６-01-01T12:00:00Z",
    ],
    ids=ascii,
)
def test_time_that_is_not_rfc_3339_is_refused(authors_api: Api, moment: str) -> None:
    response = authors_api.post("/posts", {**NEW, "published_at": moment})
    assert_problem(response, 422, "validation_error", "#/published_at")


def test_all_invalid_fields_are_reported_at_once(authors_api: Api) -> None:
    response = authors_api.post("/posts", {"title": "", "slug": "A", "tags": [1], "author": 1})
    assert_problem(response, 422, "validation_error", "#/title", "#/content", "#/slug", "#/tags/0", "#/author")


@pytest.mark.parametrize("name", ["title", "content"])
def test_title_and_content_are_required(authors_api: Api, name: str) -> None:
    body = {key: value for key, value in NEW.items() if key != name}
    assert_problem(authors_api.post("/posts", body), 422, "validation_error", f"#/{name}")


def test_null_for_an_optional_field_of_a_new_post_equals_its_absence(authors_api: Api) -> None:
    result = authors_api.post("/posts", {**NEW, "slug": None, "excerpt": None, "published_at": None}).json()
    assert (result["slug"], result["excerpt"], result["published_at"]) == ("rye-and-time", "Some text.", None)


def test_patch_keeps_absent_fields(authors_api: Api, author: User) -> None:
    post = make_post(author=author, tags=["bread"], excerpt="Explicit.")
    before = authors_api.get(f"/posts/{post.pk}").json()
    after = authors_api.patch(f"/posts/{post.pk}", {"title": "After"}).json()
    assert after["version"] == 2
    assert after["updated_at"] > before["updated_at"]
    for changed in ("title", "version", "updated_at"):
        del before[changed], after[changed]
    assert after == before


def test_patch_of_the_content_updates_the_derived_fields(authors_api: Api, author: User) -> None:
    post = make_post(author=author)
    result = authors_api.patch(f"/posts/{post.pk}", {"content": "# New\n\n" + "word " * 240}).json()
    assert result["content_html"].startswith('<h1 id="user-content-new">New</h1>\n')
    assert result["excerpt"].startswith("New word word")
    assert result["reading_minutes"] == 2


@pytest.mark.parametrize(
    "body", [{}, {"title": "Same"}, {"tags": ["Bread "], "excerpt": "Explicit."}, {"published": True}]
)
def test_patch_without_a_difference_changes_nothing(authors_api: Api, author: User, body: dict[str, Any]) -> None:
    post = make_post(author=author, title="Same", tags=["bread"], excerpt="Explicit.")
    before = authors_api.get(f"/posts/{post.pk}").json()
    assert authors_api.patch(f"/posts/{post.pk}", body).json() == before
    assert authors_api.get(f"/posts/{post.pk}").json() == before


def test_patch_without_a_body_changes_nothing(authors_api: Api, author: User) -> None:
    post = make_post(author=author)
    before = stored(post)
    assert authors_api.send("PATCH", f"/posts/{post.pk}").status_code == 200
    assert stored(post) == before


def test_null_clears_the_excerpt(authors_api: Api, author: User) -> None:
    post = make_post(author=author, content="Derived.", excerpt="Explicit.")
    assert authors_api.patch(f"/posts/{post.pk}", {"excerpt": None}).json()["excerpt"] == "Derived."


def test_null_clears_published_at_of_a_draft(authors_api: Api, author: User) -> None:
    post = make_draft(author=author, published_at=LONG_AGO)
    result = authors_api.patch(f"/posts/{post.pk}", {"published_at": None}).json()
    assert (result["published_at"], result["status"]) == (None, "draft")


@pytest.mark.parametrize("moment", [LONG_AGO, LATER])
def test_null_published_at_of_a_published_post_means_now(authors_api: Api, author: User, moment: datetime) -> None:
    post = make_post(author=author, published_at=moment)
    result = authors_api.patch(f"/posts/{post.pk}", {"published_at": None}).json()
    assert result["status"] == "published"
    assert is_about_now(result["published_at"])


@pytest.mark.parametrize(
    ("moment", "kept"), [(None, False), (LONG_AGO, True), (LATER, False)], ids=["no time", "past", "future"]
)
def test_patch_published_uses_a_past_published_at_and_else_now(
    authors_api: Api, author: User, moment: datetime | None, kept: bool
) -> None:
    post = make_draft(author=author, published_at=moment)
    result = authors_api.patch(f"/posts/{post.pk}", {"published": True}).json()
    assert result["status"] == "published"
    assert result["published_at"] == "2020-01-01T00:00:00Z" if kept else is_about_now(result["published_at"])


def test_patch_can_schedule_and_unpublish(authors_api: Api, author: User) -> None:
    post = make_draft(author=author)
    body: dict[str, Any] = {"published": True, "published_at": "2100-01-01T00:00:00Z"}
    assert authors_api.patch(f"/posts/{post.pk}", body).json()["status"] == "scheduled"
    result = authors_api.patch(f"/posts/{post.pk}", {"published": False}).json()
    assert (result["status"], result["published_at"]) == ("draft", "2100-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("make_actor", "make", "status", "code"),
    [
        (make_user, make_post, 403, "forbidden"),
        (make_user, make_draft, 404, "not_found"),
        (make_author, make_post, 403, "forbidden"),
        (make_author, make_draft, 404, "not_found"),
        (make_author, make_scheduled, 404, "not_found"),
    ],
)
@pytest.mark.parametrize(
    ("method", "action"), [("PATCH", ""), ("DELETE", ""), ("POST", "/publish"), ("POST", "/unpublish")]
)
def test_change_is_forbidden_for_visible_posts_and_not_found_for_hidden_ones(
    api: Api, make_actor: Any, make: Any, status: int, code: str, method: str, action: str
) -> None:
    post = make()
    before = stored(post)
    body = {"title": "After"} if method == "PATCH" else None
    response = api.acting_as(make_actor()).send(method, f"/posts/{post.pk}{action}", body)
    assert_problem(response, status, code)
    assert stored(post) == before


@pytest.mark.parametrize("make", [make_editor, make_admin])
def test_editors_and_admins_change_and_delete_posts_of_others(api: Api, make: Callable[[], User]) -> None:
    post = make_draft()
    editors_api = api.acting_as(make())
    result = editors_api.patch(f"/posts/{post.pk}", {"title": "After"}).json()
    assert (result["title"], result["author"]["id"]) == ("After", post.author.pk)
    assert editors_api.delete(f"/posts/{post.pk}").status_code == 204
    assert not Post.objects.not_trashed().exists()


def test_deleted_post_and_its_tags_are_not_found(authors_api: Api, author: User) -> None:
    post = make_post(author=author, tags=["bread"])
    response = authors_api.delete(f"/posts/{post.pk}")
    assert (response.status_code, response.content) == (204, b"")
    assert_problem(authors_api.get(f"/posts/{post.pk}"), 404, "not_found")
    assert_problem(authors_api.delete(f"/posts/{post.pk}"), 404, "not_found")
    assert_problem(authors_api.get("/tags/bread"), 404, "not_found")
