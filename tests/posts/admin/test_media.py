"""Images in the admin site."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import User
from posts.models import Media, Post
from tests.factories import make_editor, make_media, make_post, make_user
from tests.images import image_bytes
from tests.posts.admin import post_pages
from tests.posts.admin.post_pages import errors, form, form_of

LIST = "/admin/posts/media/"
ADD = "/admin/posts/media/add/"
PNG = image_bytes("PNG", (330, 20))


def page(media: Media, action: str = "change") -> str:
    return f"{LIST}{media.pk}/{action}/"


def upload(authors_pages: Client, content: bytes = PNG, **fields: Any) -> Any:
    return authors_pages.post(ADD, {"file": SimpleUploadedFile("x.png", content), "alt_text": "", **fields})


def test_an_image_is_uploaded_and_shown(authors_pages: Client, author: User) -> None:
    assert upload(authors_pages, alt_text="A red field")["Location"] == LIST
    media = Media.objects.get()
    assert (media.author, media.alt_text, media.width) == (author, "A red field", 330)
    small = media.variant_files[0].url
    for address in (LIST, page(media)):
        assert f'<img src="{small}" alt="A red field"' in authors_pages.get(address).content.decode()
    assert media.url in authors_pages.get(page(media)).content.decode()


@pytest.mark.parametrize("content", [b"<svg/>", PNG[:60], b""])
def test_a_file_that_is_not_an_image_is_an_error_on_the_form(authors_pages: Client, content: bytes) -> None:
    assert errors(upload(authors_pages, content, alt_text="Typed"))
    assert not Media.objects.exists()


def test_the_alternative_text_is_changed_and_its_length_is_limited(authors_pages: Client, author: User) -> None:
    media = make_media(author=author)
    assert authors_pages.post(page(media), {"alt_text": "New"})["Location"] == LIST
    assert Media.objects.get().alt_text == "New"
    assert "alt_text" in errors(authors_pages.post(page(media), {"alt_text": "x" * 501}))


def test_authors_see_their_own_images_and_editors_see_all(authors_pages: Client, author: User) -> None:
    own, others = make_media(author=author), make_media()
    assert set(authors_pages.get(LIST).context["cl"].queryset) == {own}
    assert authors_pages.get(page(others)).status_code == 302
    authors_pages.force_login(make_editor())
    assert set(authors_pages.get(LIST).context["cl"].queryset) == {own, others}
    authors_pages.force_login(make_user())
    assert authors_pages.get(LIST).status_code == 302


@pytest.mark.parametrize("use", ["cover", "text", None])
def test_an_image_that_a_post_uses_is_not_deleted(authors_pages: Client, author: User, use: str | None) -> None:
    media = make_media(author=author)
    make_post(
        author=author, content=media.url if use == "text" else "", cover_image_id=media.pk if use == "cover" else None
    )
    authors_pages.post(page(media, "delete"), {"post": "yes"})
    assert Media.objects.exists() == (use is not None)
    authors_pages.post(LIST, {"action": "delete_selected", "_selected_action": media.pk, "post": "yes"})
    assert Media.objects.exists() == (use is not None)


def test_a_cover_image_is_chosen_shown_and_removed(authors_pages: Client, author: User) -> None:
    media, post = make_media(author=author), make_post(author=author)
    assert f'href="{LIST}' in authors_pages.get(post_pages.page(post)).content.decode()  # links to the images
    authors_pages.post(post_pages.page(post), form_of(post, cover_image=media.pk))
    assert Post.objects.get().cover_image == media
    shown = authors_pages.get(post_pages.page(post)).content.decode()
    assert media.variant_files[0].url in shown
    authors_pages.post(post_pages.page(post), form_of(Post.objects.get(), cover_image=""))
    assert Post.objects.get().cover_image is None
    assert Post.objects.get().version == 3


def test_a_new_post_can_have_a_cover_image(authors_pages: Client, author: User) -> None:
    media = make_media(author=author)
    authors_pages.post(post_pages.ADD, form(cover_image=media.pk))
    assert Post.objects.get().cover_image == media


def test_authors_can_choose_only_their_own_images(authors_pages: Client, author: User) -> None:
    post, others = make_post(author=author), make_media()
    for picked in (others.pk, 10**6):
        assert errors(authors_pages.post(post_pages.page(post), form_of(post, cover_image=picked)))
    assert Post.objects.get().cover_image is None
