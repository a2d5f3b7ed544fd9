"""Posts in the admin site."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from posts import services
from posts.admin.posts import TagsField
from posts.models import Post, PostTag
from tests.factories import make_admin, make_author, make_draft, make_editor, make_post, make_scheduled, make_user

LIST = "/admin/posts/post/"
ADD = "/admin/posts/post/add/"


@pytest.fixture
def author(db: None) -> User:
    return make_author(username="ines")


@pytest.fixture
def editor(db: None) -> User:
    return make_editor()


@pytest.fixture
def authors_pages(client: Client, author: User) -> Client:
    client.force_login(author)
    return client


@pytest.fixture
def editors_pages(editor: User) -> Client:
    client = Client()
    client.force_login(editor)
    return client


def page(post: Post, action: str = "change") -> str:
    return f"{LIST}{post.pk}/{action}/"


def form(**fields: Any) -> dict[str, Any]:
    """What the browser sends for a new post, with overrides."""
    blank = {"slug": "", "excerpt": "", "tags": "", "published_at_0": "", "published_at_1": ""}
    return {"title": "Rye and time", "content": "Some *text*.", **blank, **fields}


def form_of(post: Post, **fields: Any) -> dict[str, Any]:
    """What the browser sends for the page of a post, with overrides; None takes a field out."""
    moment = post.published_at
    filled = form(
        title=post.title,
        slug=post.slug,
        content=post.content,
        excerpt=post.excerpt,
        tags=TagsField().prepare_value(post.tags),
        author=post.author.pk,
        published="on" if post.published else None,
        published_at_0=moment.strftime("%Y-%m-%d") if moment else "",
        published_at_1=moment.strftime("%H:%M:%S") if moment else "",
    )
    return {name: value for name, value in {**filled, **fields}.items() if value is not None}


def errors(response: Any) -> dict[str, list[str]]:
    assert response.status_code == 200
    return dict(response.context["adminform"].form.errors)


def listed(pages: Client, query: dict[str, str] | None = None) -> set[str]:
    response = pages.get(LIST, query)
    assert response.status_code == 200
    return {post.title for post in response.context["cl"].queryset}


def stored(post: Post) -> Any:
    return Post.objects.filter(pk=post.pk).values().get()


def test_readers_are_not_let_in(client: Client, db: None) -> None:
    post = make_post()
    client.force_login(make_user())
    for path in ("/admin/", LIST, ADD, page(post)):
        assert client.get(path).status_code == 302
    assert client.post(page(post), form_of(post, title="After")).status_code == 302
    assert stored(post)["title"] == post.title


def test_an_author_sees_only_their_own_posts(authors_pages: Client, author: User) -> None:
    make_post(author=author, title="own")
    make_draft(author=author, title="own draft")
    others = make_post(title="other")
    assert listed(authors_pages) == {"own", "own draft"}
    assert listed(authors_pages, {"q": "other"}) == set()
    for action in ("change", "delete", "history"):
        assert authors_pages.get(page(others, action)).status_code == 302


def test_an_author_changes_only_their_own_posts(authors_pages: Client, author: User) -> None:
    own, others = make_post(author=author), make_post()
    before = stored(others)
    assert authors_pages.post(page(own), form_of(own, title="After"))["Location"] == LIST
    assert stored(own)["title"] == "After"
    authors_pages.post(page(others), form_of(others, title="After"))
    authors_pages.post(page(others, "delete"), {"post": "yes"})
    for action in ("unpublish", "delete_selected"):
        authors_pages.post(LIST, {"action": action, "_selected_action": [others.pk], "post": "yes"})
    assert stored(others) == before


def test_an_author_cannot_set_the_author(authors_pages: Client, author: User) -> None:
    other = make_author()
    assert "author" not in authors_pages.get(ADD).context["adminform"].form.fields
    authors_pages.post(ADD, form(author=other.pk))
    post = Post.objects.get()
    assert post.author == author
    authors_pages.post(page(post), form_of(post, title="After", author=other.pk))
    post.refresh_from_db()
    assert (post.title, post.author) == ("After", author)


@pytest.mark.parametrize("make", [make_editor, make_admin])
def test_editors_and_admins_see_and_change_all_posts(client: Client, db: None, make: Callable[[], User]) -> None:
    client.force_login(make())
    post = make_draft(title="somebody's")
    assert listed(client) == {"somebody's"}
    assert client.post(page(post), form_of(post, title="After"))["Location"] == LIST
    assert (stored(post)["title"], stored(post)["author_id"]) == ("After", post.author.pk)


def test_an_editor_gives_a_post_to_another_author(editors_pages: Client, editor: User) -> None:
    author = make_author()
    assert editors_pages.get(ADD).context["adminform"].form.initial["author"] == editor.pk
    editors_pages.post(ADD, form(author=author.pk))
    post = Post.objects.get()
    assert post.author == author
    editors_pages.post(page(post), form_of(post, author=editor.pk))
    post.refresh_from_db()
    assert (post.author, post.version) == (editor, 2)


def test_an_editor_finds_authors_to_choose_from(editors_pages: Client, author: User) -> None:
    make_user(username="a-reader")
    page = editors_pages.get(ADD).content.decode()
    assert f'<option value="{author.pk}">{author}</option>' in page
    assert "a-reader" not in page


def test_a_post_is_not_given_to_who_may_not_write(editors_pages: Client) -> None:
    assert "author" in errors(editors_pages.post(ADD, form(author=make_user().pk)))


def test_authors_do_not_learn_the_names_of_other_users(authors_pages: Client) -> None:
    make_user(username="secret-reader")
    assert "secret-reader" not in authors_pages.get(LIST).content.decode()


def test_a_new_post_is_made_by_the_service(authors_pages: Client, author: User) -> None:
    response = authors_pages.post(ADD, form(tags="Bread,  soup , BREAD,,", excerpt=" Slowly. "))
    assert response["Location"] == LIST
    post = Post.objects.get()
    assert (post.slug, post.author, post.version, post.excerpt) == ("rye-and-time", author, 1, "Slowly.")
    assert post.tags == ["bread", "soup"]
    assert post.content_html == "<p>Some <em>text</em>.</p>\n"
    assert set(PostTag.objects.values_list("name", flat=True)) == {"bread", "soup"}
    assert LogEntry.objects.get().object_id == str(post.pk)


def test_the_tags_are_shown_in_one_line(authors_pages: Client, author: User) -> None:
    post = make_post(author=author, tags=["bread", "two words"])
    assert 'value="bread, two words"' in authors_pages.get(page(post)).content.decode()
    authors_pages.post(page(post), form_of(post, tags="two words, Été"))
    assert stored(post)["tags"] == ["two words", "été"]
    authors_pages.post(page(post), form_of(post, tags=""))
    assert stored(post)["tags"] == []


def test_tags_with_commas_and_quotes_survive_a_change_of_something_else(authors_pages: Client, author: User) -> None:
    tags = ["salt, pepper", 'a "b" c', '"quoted", too', "plain"]
    post = make_post(author=author, tags=tags)
    authors_pages.post(page(post), form_of(post, title="After"))
    assert stored(post)["tags"] == tags


def test_saving_without_a_change_counts_no_version(authors_pages: Client, author: User) -> None:
    post = make_post(author=author, tags=["bread"], excerpt="Param.", content="One.\n\nTwo.")
    before = stored(post)
    assert authors_pages.post(page(post), form_of(post)).status_code == 302
    assert stored(post) == before


def test_the_ends_of_lines_that_a_browser_sends_are_no_change(authors_pages: Client, author: User) -> None:
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
def test_what_is_wrong_is_shown_on_the_form_with_what_was_typed(
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


def test_a_bad_field_of_a_new_post_is_the_only_thing_that_is_wrong(authors_pages: Client) -> None:
    assert set(errors(authors_pages.post(ADD, form(tags="t" * 51)))) == {"tags"}


def test_a_slug_may_be_given_and_is_kept_when_the_field_is_emptied(authors_pages: Client) -> None:
    authors_pages.post(ADD, form(slug="my-slug"))
    post = Post.objects.get()
    assert post.slug == "my-slug"
    authors_pages.post(page(post), form_of(post, slug=""))
    assert (stored(post)["slug"], stored(post)["version"]) == ("my-slug", 1)


def test_a_slug_is_made_for_each_of_two_equal_titles(authors_pages: Client) -> None:
    authors_pages.post(ADD, form())
    authors_pages.post(ADD, form())
    assert set(Post.objects.values_list("slug", flat=True)) == {"rye-and-time", "rye-and-time-2"}


def test_publishing_by_the_form_without_a_time_is_now(authors_pages: Client, author: User) -> None:
    assert authors_pages.post(ADD, form(published="on")).status_code == 302
    post = make_draft(author=author)
    assert authors_pages.post(page(post), form_of(post, published="on")).status_code == 302
    assert {post.status for post in Post.objects.all()} == {"published"}


def test_publishing_by_the_form_at_a_time(authors_pages: Client) -> None:
    authors_pages.post(ADD, form(published="on", published_at_0="2100-01-01", published_at_1="12:00:00"))
    post = Post.objects.get()
    assert (post.status, post.published_at) == ("scheduled", datetime(2100, 1, 1, 12, tzinfo=UTC))


def act(pages: Client, action: str, *posts: Post) -> list[str]:
    chosen = [post.pk for post in posts]
    response = pages.post(LIST, {"action": action, "_selected_action": chosen, "post": "yes"}, follow=True)
    return [str(message) for message in response.context["messages"]]


def test_the_chosen_posts_are_published_and_unpublished(authors_pages: Client, author: User) -> None:
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    posts = [make_draft(author=author, published_at=moment), make_draft(author=author)]
    assert act(authors_pages, "publish", *posts) == ["2 published."]
    assert {post.status for post in author.posts.all()} == {"published"}
    assert author.posts.filter(published_at=moment).count() == 1
    assert act(authors_pages, "unpublish", *posts) == ["2 unpublished."]
    assert {post.status for post in author.posts.all()} == {"draft"}
    assert {post.version for post in author.posts.all()} == {3}


def test_editors_publish_everyones_posts(editors_pages: Client) -> None:
    post = make_draft()
    assert act(editors_pages, "publish", post) == ["1 published."]
    assert stored(post)["published"] is True


def test_posts_are_deleted_one_by_one_and_together(authors_pages: Client, author: User) -> None:
    first, second, third, others = (
        make_post(author=author),
        make_draft(author=author),
        make_post(author=author),
        make_post(),
    )
    assert authors_pages.get(page(first, "delete")).status_code == 200
    assert authors_pages.post(page(first, "delete"), {"post": "yes"})["Location"] == LIST
    assert set(Post.objects.not_trashed()) == {second, third, others}
    act(authors_pages, "delete_selected", second, third, others)
    assert Post.objects.not_trashed().get() == others
    assert act(authors_pages, "restore", first) == ["1 restored."]
    assert set(Post.objects.not_trashed()) == {first, others}


def test_posts_are_found_by_status_author_and_text(editors_pages: Client, author: User) -> None:
    make_post(title="public", author=author, tags=["bread", "soup"])
    make_draft(title="draft", content="needle")
    make_scheduled(title="scheduled")
    for status, found in {"published": {"public"}, "draft": {"draft"}, "scheduled": {"scheduled"}}.items():
        assert listed(editors_pages, {"status": status}) == found
    assert listed(editors_pages) == {"public", "draft", "scheduled"}
    assert listed(editors_pages, {"author__id__exact": str(author.pk)}) == {"public"}
    assert listed(editors_pages, {"q": "needle"}) == {"draft"}
    assert "bread, soup" in editors_pages.get(LIST).content.decode()


def test_the_list_costs_the_same_however_long(editors_pages: Client, author: User) -> None:
    costs = set()
    for total in (1, 100):
        for _ in range(total - Post.objects.count()):
            make_post(author=author, tags=["bread"])
        with CaptureQueriesContext(connection) as queries:
            assert len(listed(editors_pages)) == total
        costs.add(len(queries))
    assert len(costs) == 1


def test_nobody_asks_for_posts_by_the_password_of_their_author(authors_pages: Client) -> None:
    assert authors_pages.get(LIST, {"author__password__startswith": "argon2"}).status_code == 400


def test_a_former_author_is_stopped_on_the_next_page(authors_pages: Client, author: User) -> None:
    assert authors_pages.get(LIST).status_code == 200
    User.objects.filter(pk=author.pk).update(role="reader")
    assert authors_pages.get(LIST).status_code == 302


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(authors_pages: Client, author: User) -> None:
    post = make_post(author=author, content="Mine.")
    opened = form_of(post) | {"read_version": post.version}
    services.update_post(actor=make_editor(), post_id=post.pk, changes={"content": "The editor's."})
    response = authors_pages.post(page(post), opened | {"title": "Typed meanwhile"})
    assert "It was changed since you read it." in response.content.decode()
    assert "Typed meanwhile" in response.content.decode()
    assert stored(post)["content"] == "The editor's."


def test_the_form_carries_the_version_that_it_shows(authors_pages: Client, author: User) -> None:
    post = make_post(author=author)
    services.update_post(actor=author, post_id=post.pk, changes={"title": "After"})
    assert '<input type="hidden" name="read_version" value="2"' in authors_pages.get(page(post)).content.decode()


def test_the_revisions_are_shown_with_what_each_changed(authors_pages: Client, author: User) -> None:
    post = make_post(author=author, title="Before", content="One\nTwo <b>\nThree")
    changes = {"title": "After & <i>", "content": "One\n2 <b>\nThree"}
    services.update_post(actor=make_editor(username="ed-itor"), post_id=post.pk, changes=changes)
    text = authors_pages.get(page(post, "revisions")).content.decode()
    assert "Version 2" in text
    assert "by ed-itor" in text
    assert "<del>Before</del> &rarr; <ins>After &amp; &lt;i&gt;</ins>" in text
    assert "- Two &lt;b&gt;</del>" in text
    assert "+ 2 &lt;b&gt;</ins>" in text
    assert text.count("Revert to this version") == 1
    response = authors_pages.post(page(post, "revisions"), {"version": "1"})
    assert response.status_code == 302
    assert (stored(post)["title"], stored(post)["version"]) == ("Before", 3)


def test_many_revisions_come_in_pages_and_each_says_what_it_changed(authors_pages: Client, author: User) -> None:
    post = make_post(author=author)
    for number in range(25):
        services.update_post(actor=author, post_id=post.pk, changes={"title": f"Title {number}"})
    first, second = (authors_pages.get(page(post, "revisions"), {"p": number}).content.decode() for number in (1, 2))
    assert "Version 26" in first
    assert "Version 7," in first
    assert "<del>Title 4</del> &rarr; <ins>Title 5</ins>" in first
    assert "Version 6," in second
    assert "Older" not in second


def test_the_revisions_of_others_are_not_shown(authors_pages: Client) -> None:
    assert authors_pages.get(page(make_post(), "revisions")).status_code == 403
