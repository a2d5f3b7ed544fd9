"""The admin page of a post's revisions. `tests/posts/test_tags.py` tests the page of tags."""

from django.test import Client

from accounts.models import User
from posts import services
from tests.factories import make_editor, make_post
from tests.posts.admin.post_pages import page, stored


def test_revisions_are_shown_with_their_changes_and_reverted_to(authors_pages: Client, author: User) -> None:
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


def test_revisions_are_paginated_and_each_shows_its_changes(authors_pages: Client, author: User) -> None:
    post = make_post(author=author)
    for number in range(25):
        services.update_post(actor=author, post_id=post.pk, changes={"title": f"Title {number}"})
    first, second = (authors_pages.get(page(post, "revisions"), {"p": number}).content.decode() for number in (1, 2))
    assert "Version 26" in first
    assert "Version 7," in first
    assert "<del>Title 4</del> &rarr; <ins>Title 5</ins>" in first
    assert "Version 6," in second
    assert "Older" not in second


def test_an_author_cannot_open_the_revisions_of_others(authors_pages: Client) -> None:
    assert authors_pages.get(page(make_post(), "revisions")).status_code == 403
