"""Images in the admin site."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import User
from posts.models import Media, Post
from tests.factories import make_author, make_editor, make_media, make_post, make_user
from tests.images import image_bytes
from tests.posts.admin.test_posts import errors, form, form_of
from tests.posts.admin.test_posts import page as post_page

LIST = "/admin/posts/media/"
ADD = "/admin/posts/media/add/"
PNG = image_bytes("PNG", (330, 20))


@pytest.fixture
def author(db: None) -> User:
    return make_author()


@pytest.fixture
def pages(client: Client, author: User) -> Client:
    client.force_login(author)
    return client


def page(media: Media, action: str = "change") -> str:
    return f"{LIST}{media.pk}/{action}/"


def upload(pages: Client, content: bytes = PNG, **fields: Any) -> Any:
    return pages.post(ADD, {"file": SimpleUploadedFile("x.png", content), "alt_text": "", **fields})


def test_an_image_is_uploaded_and_shown(pages: Client, author: User) -> None:
    assert upload(pages, alt_text="A red field")["Location"] == LIST
    media = Media.objects.get()
    assert (media.author, media.alt_text, media.width) == (author, "A red field", 330)
    small = media.sources[0].url
    for address in (LIST, page(media)):
        assert f'<img src="{small}" alt="A red field"' in pages.get(address).content.decode()
    assert media.url in pages.get(page(media)).content.decode()


@pytest.mark.parametrize("content", [b"<svg/>", PNG[:60], b""])
def test_what_is_no_image_is_refused_on_the_form(pages: Client, content: bytes) -> None:
    assert errors(upload(pages, content, alt_text="Typed"))
    assert not Media.objects.exists()


def test_the_text_is_changed_and_a_long_one_refused(pages: Client, author: User) -> None:
    media = make_media(author=author)
    assert pages.post(page(media), {"alt_text": "New"})["Location"] == LIST
    assert Media.objects.get().alt_text == "New"
    assert "alt_text" in errors(pages.post(page(media), {"alt_text": "x" * 501}))


def test_an_author_sees_their_own_and_an_editor_all(pages: Client, author: User) -> None:
    own, others = make_media(author=author), make_media()
    assert set(pages.get(LIST).context["cl"].queryset) == {own}
    assert pages.get(page(others)).status_code == 302
    pages.force_login(make_editor())
    assert set(pages.get(LIST).context["cl"].queryset) == {own, others}
    pages.force_login(make_user())
    assert pages.get(LIST).status_code == 302


@pytest.mark.parametrize("use", ["cover", "text", None])
def test_an_image_that_is_used_is_not_deleted(pages: Client, author: User, use: str | None) -> None:
    media = make_media(author=author)
    make_post(
        author=author, content=media.url if use == "text" else "", cover_image_id=media.pk if use == "cover" else None
    )
    pages.post(page(media, "delete"), {"post": "yes"})
    assert Media.objects.exists() == (use is not None)
    pages.post(LIST, {"action": "delete_selected", "_selected_action": media.pk, "post": "yes"})
    assert Media.objects.exists() == (use is not None)


def test_a_cover_image_is_picked_shown_and_taken_off(pages: Client, author: User) -> None:
    media, post = make_media(author=author), make_post(author=author)
    assert f'href="{LIST}' in pages.get(post_page(post)).content.decode()  # where it is picked
    pages.post(post_page(post), form_of(post, cover_image=media.pk))
    assert Post.objects.get().cover_image == media
    shown = pages.get(post_page(post)).content.decode()
    assert media.sources[0].url in shown
    pages.post(post_page(post), form_of(Post.objects.get(), cover_image=""))
    assert Post.objects.get().cover_image is None
    assert Post.objects.get().version == 3


def test_a_new_post_has_its_cover_image_at_once(pages: Client, author: User) -> None:
    media = make_media(author=author)
    pages.post("/admin/posts/post/add/", form(cover_image=media.pk))
    assert Post.objects.get().cover_image == media


def test_only_ones_own_can_be_picked(pages: Client, author: User) -> None:
    post, others = make_post(author=author), make_media()
    for picked in (others.pk, 10**6):
        assert errors(pages.post(post_page(post), form_of(post, cover_image=picked)))
    assert Post.objects.get().cover_image is None
