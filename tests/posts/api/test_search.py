"""`GET /posts?q=…`: full-text search, the same on both engines."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posts import services
from posts.models import Post
from posts.search.matching import parse_query
from tests.client import Api, assert_problem
from tests.factories import make_author, make_draft, make_editor, make_post, make_scheduled, make_user


def found(api: Api, q: str, **query: Any) -> list[int]:
    response = api.get("/posts", {"q": q, **query})
    assert response.status_code == 200, response.content
    return [item["id"] for item in response.json()["items"]]


@pytest.fixture
def post(db: None) -> Post:
    return make_post(
        title="Crème brûlée for beginners", content="Caramel needs *patience*, and a hot grill. Ærø, Straße."
    )


@pytest.mark.parametrize(
    "q",
    [
        "caramel",
        "CARAMEL",
        "creme brulee",
        "crème BRÛLÉE",
        "beginners patience",
        '"hot grill"',
        '"needs patience"',
        "cara",
        "grill begi",
        '"hot grill" carame',
        '"hot grill',
        "  caramel  ",
        "caramel ---",
        "caramel!",
    ],
)
def test_words_phrases_and_a_beginning_are_found(api: Api, post: Post, q: str) -> None:
    make_post(title="Something else", content="Nothing to see.")
    assert found(api, q) == [post.pk]


@pytest.mark.parametrize(
    "q", ["caramels", '"grill hot"', "cara grill", '"cara"', "caramel absent", "---", '""', "!", "é"]
)
def test_what_does_not_match_is_not_found(api: Api, post: Post, q: str) -> None:
    assert found(api, q) == []


@pytest.mark.parametrize(
    "q",
    [
        '"',
        "'",
        "a'b",
        'a"b',
        "NOT",
        "a AND",
        "OR",
        "title:caramel",
        "{title content}: x",
        "^caramel",
        "caramel*",
        "-caramel",
        "NEAR(a b)",
        "(caramel",
        "caramel + grill",
        "a & b | !c",
        "a <-> b",
        "\\",
        "%",
        "_",
        "\ue000",
        "😀",
        ":*",
    ],
)
def test_nothing_that_is_typed_is_an_operator_or_an_error(api: Api, post: Post, q: str) -> None:
    assert set(found(api, q)) <= {post.pk}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=60))
def test_no_text_is_an_error(api: Api, text: str) -> None:
    assert found(api, text) == []


def test_a_change_is_found_at_once_and_the_old_text_no_more(api: Api, post: Post) -> None:
    services.update_post(actor=post.author, post_id=post.pk, changes={"content": "Only sugar."})
    assert (found(api, "caramel"), found(api, "sugar")) == ([], [post.pk])
    services.update_post(actor=post.author, post_id=post.pk, changes={"title": "Dessert"})
    assert (found(api, "brulee"), found(api, "dessert")) == ([], [post.pk])
    post.delete()
    assert found(api, "sugar") == []


def test_a_match_in_the_title_comes_before_one_in_the_text(api: Api) -> None:
    in_text = make_post(title="Kitchen notes", content="Rye, rye and more rye: a long text about bread made of rye.")
    in_title = make_post(title="Rye", content="A long text about bread, which needs flour, water, salt and some time.")
    assert found(api, "rye") == [in_title.pk, in_text.pk]
    assert found(api, "rye", sort="published_at") == [in_text.pk, in_title.pk]


def test_pages_of_matches_neither_skip_nor_repeat(api: Api) -> None:
    author = make_author()
    posts = [make_post(author=author, title="Same", content="rye " * (1 + number % 3)) for number in range(11)]
    seen, cursor = [], None
    while True:
        page = api.get("/posts", {"q": "rye", "limit": 4} | ({"cursor": cursor} if cursor else {})).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert sorted(seen) == [post.pk for post in posts]


def test_a_search_can_be_narrowed_and_counted(api: Api) -> None:
    author = make_author()
    wanted = make_post(author=author, title="Rye bread", tags=["bread"])
    make_post(title="Rye field", tags=["fields"])
    for query in ({"tag": "bread"}, {"author": author.username}):
        page = api.get("/posts", {"q": "rye", "count": "true", **query}).json()
        assert ([item["id"] for item in page["items"]], page["count"]) == ([wanted.pk], 1)
    assert api.get("/posts", {"q": "rye", "count": "true"}).json()["count"] == 2


def test_the_highlight_is_safe_html(api: Api) -> None:
    content = "Before <script>alert(1)</script> & \ue000 the word *needle* in \ue001 the hay </mark>."
    make_post(title="Hay", content=content)
    (item,) = api.get("/posts", {"q": "needle"}).json()["items"]
    assert "<mark>needle</mark>" in item["highlight"]
    assert set(re.findall(r"<[^>]*>", item["highlight"])) == {"<mark>", "</mark>"}
    assert item["highlight"].count("<mark>") == item["highlight"].count("</mark>")
    assert api.get("/posts").json()["items"][0]["highlight"] is None


@pytest.mark.parametrize(("make", "status"), [(make_draft, "draft"), (make_scheduled, "scheduled")])
def test_what_is_not_public_is_found_by_those_who_may_see_it(api: Api, make: Callable[..., Post], status: str) -> None:
    post = make(title="Secret rye")
    for actor in (None, make_user(), make_author()):
        caller = api.acting_as(actor) if actor else api
        for asked in ("published", status, "all"):
            assert found(caller, "rye", status=asked) == []
    for actor in (post.author, make_editor()):
        assert found(api.acting_as(actor), "rye", status=status) == [post.pk]
        assert found(api.acting_as(actor), "rye") == []


def test_a_full_page_costs_one_query_and_the_last_two(api: Api, django_assert_num_queries: Any) -> None:
    for _ in range(3):
        make_post(title="Rye")
    with django_assert_num_queries(1):
        assert len(found(api, "rye", limit=2)) == 2
    with django_assert_num_queries(2):
        assert len(found(api, "rye", limit=3)) == 3


def test_what_few_may_see_is_found_behind_much_that_matches_better(api: Api) -> None:
    author = make_author()
    for _ in range(10):
        make_draft(title="Rye", author=author)
    public = [make_post(title="Bread", content="Rye and " + "water " * number) for number in range(3)]
    for limit in (1, 2, 3, 4):
        assert found(api, "rye", limit=limit) == [post.pk for post in public[:limit]]


@pytest.mark.parametrize("q", ["", "x" * 201, "a\x00b"])
def test_a_bad_query_is_422(api: Api, q: str) -> None:
    assert_problem(api.get("/posts", {"q": q}), 422, "validation_error", "#/query/q")


def test_a_long_text_of_ever_new_words_is_stored_and_found(api: Api) -> None:
    words = " ".join(f"w{number:x}q" for number in range(130_000))
    post = make_post(title="Long", content=words[: 1024 * 1024])
    assert found(api, "w1fq") == [post.pk]


def test_what_is_found_can_be_asked_on(post: Post) -> None:
    """A search is a scope like others: inside of other questions, and together with itself."""
    other = make_post(title="Rye", content="Caramel, too.")
    found = Post.objects.published().found_by(parse_query("caramel"))
    assert set(Post.objects.filter(pk__in=found.values("pk"))) == {post, other}
    assert set(Post.objects.exclude(pk__in=found.values("pk"))) == set()
    assert set(found & Post.objects.published().filter(title="Rye")) == {other}
    assert (found.count(), found.filter(title="Rye").count(), found.exclude(title="Rye").get()) == (2, 1, post)
