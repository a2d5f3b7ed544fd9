"""The list and the pages of posts in the admin site."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from posts.models import Post, PostTag
from tests.factories import make_admin, make_author, make_draft, make_editor, make_post, make_scheduled, make_user
from tests.posts.admin.post_pages import ADD, LIST, act, errors, form, form_of, listed, page, stored


def test_readers_are_not_admitted(client: Client, db: None) -> None:
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
    post = make_draft(title="another's")
    assert listed(client) == {"another's"}
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


def test_an_editor_can_choose_among_the_authors(editors_pages: Client, author: User) -> None:
    make_user(username="a-reader")
    page = editors_pages.get(ADD).content.decode()
    assert f'<option value="{author.pk}">{author}</option>' in page
    assert "a-reader" not in page


def test_a_reader_cannot_become_the_author(editors_pages: Client) -> None:
    assert "author" in errors(editors_pages.post(ADD, form(author=make_user().pk)))


def test_the_list_does_not_show_other_users_to_authors(authors_pages: Client) -> None:
    make_user(username="secret-reader")
    assert "secret-reader" not in authors_pages.get(LIST).content.decode()


def test_a_new_post_is_created_by_the_service(authors_pages: Client, author: User) -> None:
    response = authors_pages.post(ADD, form(tags="Bread,  soup , BREAD,,", excerpt=" Slowly. "))
    assert response["Location"] == LIST
    post = Post.objects.get()
    assert (post.slug, post.author, post.version, post.excerpt) == ("rye-and-time", author, 1, "Slowly.")
    assert post.tags == ["bread", "soup"]
    assert post.content_html == "<p>Some <em>text</em>.</p>\n"
    assert set(PostTag.objects.values_list("name", flat=True)) == {"bread", "soup"}
    assert LogEntry.objects.get().object_id == str(post.pk)


def test_a_post_published_without_a_time_is_published_now(authors_pages: Client, author: User) -> None:
    assert authors_pages.post(ADD, form(published="on")).status_code == 302
    post = make_draft(author=author)
    assert authors_pages.post(page(post), form_of(post, published="on")).status_code == 302
    assert {post.status for post in Post.objects.all()} == {"published"}


def test_a_post_published_at_a_future_time_is_scheduled(authors_pages: Client) -> None:
    authors_pages.post(ADD, form(published="on", published_at_0="2100-01-01", published_at_1="12:00:00"))
    post = Post.objects.get()
    assert (post.status, post.published_at) == ("scheduled", datetime(2100, 1, 1, 12, tzinfo=UTC))


def test_the_selected_posts_are_published_and_unpublished(authors_pages: Client, author: User) -> None:
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    posts = [make_draft(author=author, published_at=moment), make_draft(author=author)]
    assert act(authors_pages, "publish", *posts) == ["2 published."]
    assert {post.status for post in author.posts.all()} == {"published"}
    assert author.posts.filter(published_at=moment).count() == 1
    assert act(authors_pages, "unpublish", *posts) == ["2 unpublished."]
    assert {post.status for post in author.posts.all()} == {"draft"}
    assert {post.version for post in author.posts.all()} == {3}


def test_editors_publish_the_posts_of_others(editors_pages: Client) -> None:
    post = make_draft()
    assert act(editors_pages, "publish", post) == ["1 published."]
    assert stored(post)["published"] is True


def test_posts_are_trashed_singly_and_in_bulk_and_restored(authors_pages: Client, author: User) -> None:
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


def test_posts_are_filtered_by_status_author_and_text(editors_pages: Client, author: User) -> None:
    make_post(title="public", author=author, tags=["bread", "soup"])
    make_draft(title="draft", content="needle")
    make_scheduled(title="scheduled")
    for status, found in {"published": {"public"}, "draft": {"draft"}, "scheduled": {"scheduled"}}.items():
        assert listed(editors_pages, {"status": status}) == found
    assert listed(editors_pages) == listed(editors_pages, {"status": "unknown"}) == {"public", "draft", "scheduled"}
    assert listed(editors_pages, {"author__id__exact": str(author.pk)}) == {"public"}
    assert listed(editors_pages, {"q": "needle"}) == {"draft"}
    assert "bread, soup" in editors_pages.get(LIST).content.decode()


def test_the_number_of_queries_does_not_grow_with_the_list(editors_pages: Client, author: User) -> None:
    costs = set()
    for total in (1, 100):
        for _ in range(total - Post.objects.count()):
            make_post(author=author, tags=["bread"])
        with CaptureQueriesContext(connection) as queries:
            assert len(listed(editors_pages)) == total
        costs.add(len(queries))
    assert len(costs) == 1


def test_posts_cannot_be_filtered_by_their_authors_password(authors_pages: Client) -> None:
    assert authors_pages.get(LIST, {"author__password__startswith": "argon2"}).status_code == 400


def test_a_demoted_author_loses_access_at_once(authors_pages: Client, author: User) -> None:
    assert authors_pages.get(LIST).status_code == 200
    User.objects.filter(pk=author.pk).update(role="reader")
    assert authors_pages.get(LIST).status_code == 302
