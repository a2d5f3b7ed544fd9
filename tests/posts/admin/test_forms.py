"""The form of a post in the admin site."""

import pytest
from django.test import Client

from accounts.models import User
from posts import services
from posts.models import Post
from tests.factories import make_draft, make_editor, make_post
from tests.posts.admin.post_pages import ADD, errors, form, form_of, page, stored


def test_tags_are_edited_in_one_line(authors_pages: Client, author: User) -> None:
    post = make_post(author=author, tags=["bread", "two words"])
    assert 'value="bread, two words"' in authors_pages.get(page(post)).content.decode()
    authors_pages.post(page(post), form_of(post, tags="two words, Été"))
    assert stored(post)["tags"] == ["two words", "été"]
    authors_pages.post(page(post), form_of(post, tags=""))
    assert stored(post)["tags"] == []


def test_tags_with_commas_and_quotes_are_kept_when_another_field_changes(authors_pages: Client, author: User) -> None:
    tags = ["salt, pepper", 'a "b" c', '"quoted", too', "plain"]
    post = make_post(author=author, tags=tags)
    authors_pages.post(page(post), form_of(post, title="After"))
    assert stored(post)["tags"] == tags


def test_saving_without_a_change_keeps_the_version(authors_pages: Client, author: User) -> None:
    post = make_post(author=author, tags=["bread"], excerpt="An excerpt.", content="One.\n\nTwo.")
    before = stored(post)
    assert authors_pages.post(page(post), form_of(post)).status_code == 302
    assert stored(post) == before


def test_the_line_endings_of_browsers_are_no_change(authors_pages: Client, author: User) -> None:
    post = make_post(author=author, content="One.\n\nTwo.")
    authors_pages.post(page(post), form_of(post, content="One.\r\n\r\nTwo."))
    assert stored(post)["version"] == 1


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"slug": "taken"}, "__all__"),
        ({"slug": "Not a slug"}, "slug"),
        ({"slug": "s" * 101}, "slug"),
        ({"title": ""}, "title"),
        ({"title": "   "}, "title"),
        ({"title": "t" * 201}, "title"),
        ({"title": "a\x00b"}, "title"),
        ({"excerpt": "e" * 501}, "excerpt"),
        ({"content": "é" * (512 * 1024) + "e"}, "content"),
        ({"tags": "t" * 51}, "tags"),
        ({"tags": ",".join(f"tag-{number}" for number in range(51))}, "tags"),
        ({"published_at_0": "2026-02-30", "published_at_1": "12:00:00"}, "published_at"),
        ({"published_at_0": "2026-02-01", "published_at_1": ""}, "published_at"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_errors_are_shown_on_the_form_with_the_typed_values(
    authors_pages: Client, author: User, fields: dict[str, str], name: str
) -> None:
    make_post(slug="taken")
    post = make_draft(author=author)
    before = stored(post)
    typed = {"excerpt": "As typed", **fields}
    for response in (authors_pages.post(ADD, form(**typed)), authors_pages.post(page(post), form_of(post, **typed))):
        assert name in errors(response)
        assert "excerpt" in fields or "As typed</textarea>" in response.content.decode()
    assert stored(post) == before
    assert Post.objects.count() == 2


def test_only_the_invalid_field_has_an_error(authors_pages: Client) -> None:
    assert set(errors(authors_pages.post(ADD, form(tags="t" * 51)))) == {"tags"}


def test_a_given_slug_is_kept_when_the_field_is_emptied(authors_pages: Client) -> None:
    authors_pages.post(ADD, form(slug="my-slug"))
    post = Post.objects.get()
    assert post.slug == "my-slug"
    authors_pages.post(page(post), form_of(post, slug=""))
    assert (stored(post)["slug"], stored(post)["version"]) == ("my-slug", 1)


def test_posts_with_equal_titles_get_different_slugs(authors_pages: Client) -> None:
    authors_pages.post(ADD, form())
    authors_pages.post(ADD, form())
    assert set(Post.objects.values_list("slug", flat=True)) == {"rye-and-time", "rye-and-time-2"}


def test_a_newer_version_is_not_overwritten(authors_pages: Client, author: User) -> None:
    post = make_post(author=author, content="Mine.")
    opened = form_of(post) | {"read_version": post.version}
    services.update_post(actor=make_editor(), post_id=post.pk, changes={"content": "The editor's."})
    response = authors_pages.post(page(post), opened | {"title": "Typed meanwhile"})
    assert "The resource was changed after you read it." in response.content.decode()
    assert "Typed meanwhile" in response.content.decode()
    assert stored(post)["content"] == "The editor's."


def test_the_form_contains_the_version_that_it_shows(authors_pages: Client, author: User) -> None:
    post = make_post(author=author)
    services.update_post(actor=author, post_id=post.pk, changes={"title": "After"})
    assert '<input type="hidden" name="read_version" value="2"' in authors_pages.get(page(post)).content.decode()
