"""The sample data of `manage.py seed`."""

import re
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from posts.models import Post, PostStatus, PostTag
from posts.sample import seeding
from posts.sample.data import POSTS, USERS
from tests.client import Api
from tests.factories import PASSWORD, make_admin, make_user

pytestmark = pytest.mark.django_db

NAMES = ["admin", "author", "coauthor", "editor", "reader"]


@pytest.fixture(autouse=True)
def _few_contents(monkeypatch: pytest.MonkeyPatch) -> None:
    """Generates less content: rendering all of it would double the time of a test."""
    monkeypatch.setattr(seeding, "CONTENT_COUNT", 20)


def seed(*arguments: str, verbosity: int = 1) -> str:
    out = StringIO()
    call_command("seed", *arguments, stdout=out, verbosity=verbosity)
    return out.getvalue()


def posts() -> list[Any]:
    return list(Post.objects.order_by("pk").values())


def passwords_in(output: str) -> dict[str, str]:
    """Return the passwords in the output, by username."""
    return dict(re.findall(r"(\w+) +password: (\S+)", output))


def test_the_sample_data_has_every_role_and_every_status() -> None:
    output = seed("--password", PASSWORD)
    assert sorted(User.objects.values_list("username", flat=True)) == NAMES
    assert set(User.objects.values_list("role", flat=True)) == {"reader", "author", "editor", "admin"}
    assert {post.status for post in Post.objects.all()} == set(PostStatus)
    assert Post.objects.count() == len(POSTS) >= 12
    assert PostTag.objects.public().exists()
    assert f"{len(POSTS)} posts written" in output
    user = User.objects.get(username="author")
    sample = next(sample for sample in USERS if sample.username == "author")
    assert (user.email, user.full_name, user.bio) == (sample.email, sample.full_name, sample.bio)


def test_each_user_gets_a_random_password_that_is_shown_once() -> None:
    passwords = passwords_in(seed())
    assert sorted(passwords) == NAMES
    assert len(set(passwords.values())) == len(NAMES)
    assert all(User.objects.get(username=name).check_password(passwords[name]) for name in NAMES)
    assert passwords_in(seed()) == {}
    assert User.objects.get(username="admin").check_password(passwords["admin"])


def test_a_given_password_is_set_for_all_sample_users() -> None:
    seed()
    assert passwords_in(seed("--password", PASSWORD)) == dict.fromkeys(NAMES, PASSWORD)
    assert all(user.check_password(PASSWORD) for user in User.objects.all())
    assert all(user.password.startswith("argon2$argon2id$") for user in User.objects.all())


def test_seeding_again_changes_nothing() -> None:
    seed("--posts", "5", "--password", PASSWORD)
    posts_before, users_before = posts(), list(User.objects.order_by("pk").values("pk", "username", "created_at"))
    assert "0 posts written" in seed("--posts", "5")
    assert posts() == posts_before
    assert list(User.objects.order_by("pk").values("pk", "username", "created_at")) == users_before


def test_generating_more_posts_keeps_the_existing_ones() -> None:
    seed("--posts", "3", "--password", PASSWORD)
    before = posts()
    seed("--posts", "6")
    assert posts()[: len(before)] == before
    assert Post.objects.filter(slug__startswith="sample-").count() == 6
    seed("--posts", "2")
    assert Post.objects.filter(slug__startswith="sample-").count() == 6


def test_only_missing_data_is_added() -> None:
    seed("--posts", "3", "--password", PASSWORD)
    Post.objects.filter(slug="sample-2").delete()
    User.objects.get(username="reader").delete()
    missing = Post.objects.filter(title=POSTS[0].title)
    missing.delete()
    assert set(passwords_in(seed("--posts", "3"))) == {"reader"}
    assert Post.objects.filter(slug="sample-2").exists()
    assert missing.exists()


def test_the_generated_posts_are_always_the_same() -> None:
    def numbered() -> list[Any]:
        columns = ("slug", "title", "content", "tags", "published_at", "created_at", "author__username", "content_html")
        return list(Post.objects.filter(slug__startswith="sample-").order_by("pk").values_list(*columns))

    seed("--posts", "20", "--password", PASSWORD)
    before = numbered()
    Post.objects.all().delete()
    seed("--posts", "20")
    assert numbered() == before
    assert [slug for slug, *_ in before] == [f"sample-{number}" for number in range(1, 21)]


def test_generated_posts_are_complete() -> None:
    seed("--posts", "20", "--password", PASSWORD)
    many = Post.objects.filter(slug__startswith="sample-").select_related("author")
    assert len({post.title for post in many}) == len({post.published_at for post in many}) == 20
    for post in many:
        assert post.author.is_author
        assert post.status == PostStatus.PUBLISHED
        assert post.content_html.startswith('<h2 id="user-content-')
        assert len(post.tags) == len(set(post.tags)) == 3
        assert set(post.tag_index.values_list("name", flat=True)) == set(post.tags)


def test_a_site_with_other_users_is_not_changed() -> None:
    for name in ("dora", "carl", "bert", "anna"):
        make_user(username=name)
    with pytest.raises(CommandError) as error:
        seed()
    message = str(error.value)
    assert "\n" not in message
    assert "anna, bert, carl" in message
    assert "--yes" in message
    assert User.objects.count() == 4
    assert not Post.objects.exists()


def test_yes_adds_the_sample_data_beside_other_users() -> None:
    other_user = make_admin(username="root", password=PASSWORD)
    passwords = passwords_in(seed("--yes", "--password", "another-river-lantern"))
    assert sorted(passwords) == NAMES
    other_user.refresh_from_db()
    assert other_user.check_password(PASSWORD)
    assert Post.objects.count() == len(POSTS)


def test_another_user_with_a_sample_username_keeps_their_password() -> None:
    other_user = make_admin(username="admin", email="ada@example.org", password=PASSWORD)
    for arguments in ([], ["--yes", "--password", "another-river-lantern"]):
        with pytest.raises(CommandError):
            seed(*arguments)
    assert User.objects.get() == other_user
    other_user.refresh_from_db()
    assert (other_user.email, other_user.check_password(PASSWORD)) == ("ada@example.org", True)


@pytest.mark.parametrize(
    "other_user",
    [
        {"username": "Author"},
        {"username": "ines", "email": "Author@Example.com"},
        {"username": "author", "email": "ines@example.org", "role": "reader"},
    ],
    ids=["name in another case", "address in another case", "name of a reader"],
)
def test_a_conflicting_user_prevents_all_changes(other_user: dict[str, str]) -> None:
    make_user(**other_user)
    with pytest.raises(CommandError, match=r"A sample user cannot be created: This .* is taken"):
        seed("--yes", "--posts", "2", "--password", PASSWORD)
    assert User.objects.count() == 1


@pytest.mark.parametrize("number", ["-1", "x", "1.5", ""])
def test_an_invalid_number_of_posts_is_an_error(number: str) -> None:
    with pytest.raises(CommandError, match="--posts"):
        seed(f"--posts={number}")
    assert not User.objects.exists()


def test_verbosity_0_prints_nothing() -> None:
    assert seed("--password", PASSWORD, "--posts", "2", verbosity=0) == ""
    assert Post.objects.count() == len(POSTS) + 2


@pytest.mark.slow
def test_100_000_posts_can_be_paged_through(api: Api) -> None:
    seed("--posts", "100000", "--password", PASSWORD, verbosity=0)
    public = set(Post.objects.published().values_list("pk", flat=True))
    assert len(public) >= 100_000
    ids: list[int] = []
    query: dict[str, Any] = {"limit": 100}
    while True:
        page = api.get("/posts", query).json()
        ids += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert len(ids) == len(public)
    assert set(ids) == public
