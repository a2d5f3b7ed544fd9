"""The media endpoints, and the cover images of posts."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import User
from posts.media import services as uploads
from posts.media import storage
from posts.models import Media, Post
from tests.client import Api, assert_problem
from tests.factories import make_admin, make_author, make_draft, make_editor, make_media, make_post, make_user
from tests.images import image_bytes, opened

PNG = image_bytes("PNG", (640, 480))


@pytest.fixture
def author(db: None) -> User:
    return make_author(username="ines")


@pytest.fixture
def authors_api(api: Api, author: User) -> Api:
    return api.acting_as(author)


@pytest.fixture(autouse=True)
def stored(tmp_path: Path, settings: Any) -> Path:
    """An empty media storage for this test. Returns its folder."""
    folder = tmp_path / "media"
    backend = project.STORAGES["default"]
    kept = {**backend, "OPTIONS": {**backend["OPTIONS"], "location": folder}}
    settings.STORAGES = {**project.STORAGES, "default": kept}
    return folder


def file() -> SimpleUploadedFile:
    return SimpleUploadedFile("x.png", PNG)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_upload_returns_the_media_and_stores_its_variants(authors_api: Api, stored: Path) -> None:
    response = authors_api.upload(PNG, alt_text="  A red field ")
    assert response.status_code == 201
    media = response.json()
    assert response["Location"].endswith(f"/api/v1/media/{media['id']}")
    name = media["url"].removeprefix("/media/")
    assert (media["width"], media["height"], media["content_type"]) == (640, 480, "image/png")
    assert (media["alt_text"], len(media["sha256"]), media["created_at"][-1]) == ("A red field", 64, "Z")
    assert media["variants"] == [
        {"url": f"/media/{name[:32]}-{width}.webp", "width": width, "height": height}
        for width, height in ((320, 240), (640, 480))
    ]
    assert files(stored) == {name, f"{name[:32]}-320.webp", f"{name[:32]}-640.webp"}
    assert media["bytes"] == (stored / name[:2] / name).stat().st_size
    row = Media.objects.get()
    assert row.stored_bytes == sum(path.stat().st_size for path in stored.rglob("*") if path.is_file())
    assert authors_api.get(f"/media/{media['id']}").json() == media


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a\r\nb.png", "photo\u202egnp.exe", "x" * 300 + ".png", "C:\\a.png"]
)
def test_file_name_of_the_upload_is_not_used(authors_api: Api, stored: Path, name: str) -> None:
    response = authors_api.upload(PNG, name)
    assert response.status_code == 201
    assert len(files(stored)) == 3
    assert all(len(stored_name.partition(".")[0].partition("-")[0]) == 32 for stored_name in files(stored))
    assert stored.parent.joinpath("media").is_dir()
    assert not any("passwd" in path.name for path in stored.parent.rglob("*"))


def test_upload_of_the_same_bytes_returns_the_first_media_of_the_user(api: Api, authors_api: Api, stored: Path) -> None:
    first = authors_api.upload(PNG, alt_text="First")
    again = authors_api.upload(PNG, "another.gif", alt_text="Second")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert len(files(stored)) == 3
    other = api.acting_as(make_editor()).upload(PNG)
    assert other.status_code == 201
    assert other.json()["id"] != first.json()["id"]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported_media_type"),
        (b"<html>", 415, "unsupported_media_type"),
        (b"", 422, "file_empty"),
        (PNG[: len(PNG) // 2], 422, "image_unreadable"),
        (b"\x89PNG" + bytes(uploads.MAX_UPLOAD_BYTES), 413, "too_large"),
    ],
)
def test_refused_upload_stores_nothing(authors_api: Api, stored: Path, content: bytes, status: int, code: str) -> None:
    response = authors_api.upload(content)
    if status == 422:
        assert_problem(response, 422, "validation_error", "#/file")
        assert response.json()["errors"][0]["code"] == code
    else:
        assert_problem(response, status, code)
    assert not Media.objects.exists()
    assert not files(stored)


def test_unknown_repeated_and_misplaced_form_parts_are_refused(authors_api: Api) -> None:
    assert_problem(authors_api.post("/media", {}), 415, "unsupported_media_type")
    assert_problem(authors_api.upload(PNG, alt_text="x" * 501), 422, "validation_error", "#/alt_text")
    assert_problem(authors_api.upload(PNG, alt_text="a\x00b"), 422, "validation_error", "#/alt_text")
    assert_problem(authors_api.upload(PNG, title="x"), 422, "validation_error", "#/title")
    for parts, wrong in (
        ({"file": [file(), file()]}, "#/file"),
        ({"file": file(), "alt_text": ["a", "b"]}, "#/alt_text"),
        ({"file": file(), "alt_text": file()}, "#/alt_text"),
        ({"file": "text"}, "#/file"),
    ):
        response = authors_api.send_form("/media", parts)
        assert_problem(response, 422, "validation_error", wrong)
    assert not Media.objects.exists()


def test_quota_of_bytes_applies_to_each_user(authors_api: Api, stored: Path, settings: Any) -> None:
    settings.MEDIA_QUOTA_BYTES = 1
    assert_problem(authors_api.upload(PNG), 413, "quota_exceeded")
    assert not files(stored)
    settings.MEDIA_QUOTA_BYTES = 0
    assert authors_api.upload(PNG).status_code == 201
    settings.MEDIA_QUOTA_BYTES = Media.objects.get().stored_bytes
    assert authors_api.upload(PNG).status_code == 200
    assert_problem(authors_api.upload(image_bytes("JPEG")), 413, "quota_exceeded")


class TestIdempotencyKey:
    def test_repeated_request_returns_the_first_response(self, authors_api: Api, stored: Path) -> None:
        first, again = (authors_api.upload(PNG, headers={"Idempotency-Key": "k"}, alt_text="A") for _ in range(2))
        assert (again.status_code, again.json()) == (201, first.json())
        assert Media.objects.count() == 1
        assert len(files(stored)) == 3

    def test_first_response_is_repeated_after_the_image_was_deleted(self, authors_api: Api, stored: Path) -> None:
        first = authors_api.upload(PNG, headers={"Idempotency-Key": "k"})
        Media.objects.all().delete()
        again = authors_api.upload(PNG, headers={"Idempotency-Key": "k"})
        assert (again.status_code, again.json()) == (201, first.json())
        assert not Media.objects.exists()
        assert len(files(stored)) == 3  # the files of the first upload, which no row refers to any more

    def test_another_upload_with_the_same_key_is_refused_and_stores_nothing(
        self, authors_api: Api, stored: Path
    ) -> None:
        authors_api.upload(PNG, headers={"Idempotency-Key": "k"})
        other = authors_api.upload(image_bytes("JPEG"), headers={"Idempotency-Key": "k"})
        assert_problem(other, 422, "idempotency_key_reused")
        assert_problem(
            authors_api.upload(PNG, headers={"Idempotency-Key": "k"}, alt_text="B"), 422, "idempotency_key_reused"
        )
        assert Media.objects.count() == 1
        assert len(files(stored)) == 3


class TestListAndChange:
    def test_users_list_their_own_media_and_editors_list_all(self, api: Api, author: User) -> None:
        own, others = [make_media(author=author) for _ in range(3)], make_media()
        assert ids(api.acting_as(author), limit=2) == [own[2].pk, own[1].pk]
        assert ids(api.acting_as(make_editor())) == [others.pk, *(media.pk for media in reversed(own))]
        assert ids(api.acting_as(make_user())) == []

    def test_patch_changes_the_alt_text(self, authors_api: Api, author: User) -> None:
        media = make_media(author=author)
        assert authors_api.patch(f"/media/{media.pk}", {"alt_text": "New"}).json()["alt_text"] == "New"
        assert authors_api.patch(f"/media/{media.pk}", {}).json()["alt_text"] == "New"
        assert authors_api.patch(f"/media/{media.pk}", {"alt_text": ""}).json()["alt_text"] == ""
        assert_problem(
            authors_api.patch(f"/media/{media.pk}", {"alt_text": None}), 422, "validation_error", "#/alt_text"
        )
        assert_problem(authors_api.patch(f"/media/{media.pk}", {"url": "/"}), 422, "validation_error", "#/url")

    def test_author_who_became_a_reader_can_read_but_not_change_own_media(self, api: Api, author: User) -> None:
        media = make_media(author=author)
        User.objects.filter(pk=author.pk).update(role="reader")
        readers_api = api.acting_as(User.objects.get(pk=author.pk))
        assert readers_api.get(f"/media/{media.pk}").status_code == 200
        assert_problem(readers_api.patch(f"/media/{media.pk}", {"alt_text": "x"}), 403, "forbidden")
        assert_problem(readers_api.delete(f"/media/{media.pk}"), 403, "forbidden")


def ids(api: Api, **query: Any) -> list[int]:
    return [item["id"] for item in api.get("/media", query).json()["items"]]


@pytest.mark.django_db(transaction=True)
class TestDelete:
    def test_delete_removes_the_row_and_its_files(self, authors_api: Api, author: User, stored: Path) -> None:
        media, kept = make_media(author=author), make_media(author=author)
        assert authors_api.delete(f"/media/{media.pk}").status_code == 204
        assert Media.objects.get() == kept
        assert files(stored) == set(kept.file_names)
        assert_problem(authors_api.delete(f"/media/{media.pk}"), 404, "not_found")

    @pytest.mark.parametrize("use", ["cover", "text", "variant", "trash"])
    def test_media_in_use_is_deleted_only_with_force(
        self, authors_api: Api, author: User, stored: Path, use: str
    ) -> None:
        media = make_media(author=author)
        shown = media.variant_files[0].url if use == "variant" else media.url
        text = f"![x]({shown})" if use in ("text", "variant") else ""
        post = make_post(content=text, cover_image_id=None if text else media.pk, author=author)
        if use == "trash":
            authors_api.delete(f"/posts/{post.pk}")
        refused = authors_api.delete(f"/media/{media.pk}")
        assert_problem(refused, 409, "media_in_use")
        assert refused.json()["detail"] == f"Posts use it, with the ids {post.pk}."
        assert files(stored) == set(media.file_names)
        assert authors_api.delete(f"/media/{media.pk}?force=true").status_code == 204
        assert files(stored) == set()
        changed = Post.objects.get()
        assert changed.cover_image is None
        assert changed.version == post.version + (use == "trash") + (not text)
        assert changed.revisions.count() == changed.version

    def test_error_does_not_name_posts_that_the_caller_may_not_see(self, authors_api: Api, author: User) -> None:
        media = make_media(author=author)
        make_draft(content=media.url)
        assert authors_api.delete(f"/media/{media.pk}").json()["detail"] == "Posts use it."


class TestCoverImage:
    def test_post_list_and_revision_show_the_cover_image(self, authors_api: Api, author: User) -> None:
        media = make_media(author=author)
        response = authors_api.post(
            "/posts", {"title": "A", "content": "", "cover_image_id": media.pk, "published": True}
        )
        shown = authors_api.get(f"/media/{media.pk}").json()
        assert response.json()["cover_image"] == shown
        assert [post["cover_image"] for post in authors_api.get("/posts").json()["items"]] == [shown]
        assert (
            authors_api.get(f"/posts/{response.json()['id']}/revisions").json()["items"][0]["cover_image_id"]
            == media.pk
        )

    def test_cover_image_can_be_changed_cleared_and_reverted(self, authors_api: Api, author: User) -> None:
        first, second = make_media(author=author), make_media(author=author)
        post = make_post(author=author, cover_image_id=first.pk)
        path = f"/posts/{post.pk}"
        assert authors_api.patch(path, {"cover_image_id": second.pk}).json()["cover_image"]["id"] == second.pk
        assert authors_api.patch(path, {"title": "New"}).json()["cover_image"]["id"] == second.pk
        assert authors_api.patch(path, {"cover_image_id": None}).json()["cover_image"] is None
        reverted = authors_api.post(f"{path}/revisions/1/revert").json()
        assert (reverted["cover_image"]["id"], reverted["version"]) == (first.pk, 5)

    def test_authors_may_use_only_their_own_media_and_editors_any(
        self, api: Api, authors_api: Api, author: User
    ) -> None:
        others, post = make_media(), make_post(author=author)
        for wrong in (True, str(post.pk), 1.0, 0):
            response = authors_api.patch(f"/posts/{post.pk}", {"cover_image_id": wrong})
            assert_problem(response, 422, "validation_error", "#/cover_image_id")
        for body in ({"cover_image_id": others.pk}, {"cover_image_id": 10**6}):
            assert_problem(authors_api.patch(f"/posts/{post.pk}", body), 422, "validation_error", "#/cover_image_id")
            response = authors_api.post("/posts", {"title": "A", "content": "", **body})
            assert_problem(response, 422, "validation_error", "#/cover_image_id")
        path, body = f"/posts/{post.pk}", {"cover_image_id": others.pk}
        assert api.acting_as(make_editor()).patch(path, body).json()["cover_image"]["id"] == others.pk
        # An author may keep the cover image that an editor has chosen.
        assert authors_api.patch(path, {"title": "New", **body}).status_code == 200
        assert authors_api.get("/posts").json()["items"][0]["cover_image"]["id"] == others.pk

    def test_cover_image_is_null_by_default(self, authors_api: Api, author: User) -> None:
        post = make_draft(author=author)
        assert authors_api.get(f"/posts/{post.pk}").json()["cover_image"] is None


class TestDeletedUser:
    def test_media_go_to_the_new_owner_except_duplicates(self, api: Api, author: User) -> None:
        new_owner = make_author()
        make_post(author=author)
        same, own, alone = make_media(author=author), make_media(author=new_owner), make_media(author=author)
        Media.objects.filter(pk=own.pk).update(sha256=same.sha256)
        response = api.acting_as(make_admin()).delete(f"/users/{author.pk}?reassign_to={new_owner.pk}")
        assert response.status_code == 204
        assert dict(Media.objects.values_list("pk", "author")) == {
            same.pk: None,
            own.pk: new_owner.pk,
            alone.pk: new_owner.pk,
        }

    def test_media_of_a_user_without_posts_have_no_owner(self, api: Api, author: User) -> None:
        media = make_media(author=author)
        admins_api = api.acting_as(make_admin())
        assert admins_api.delete(f"/users/{author.pk}").status_code == 204
        assert admins_api.get(f"/media/{media.pk}").status_code == 200
        assert default_storage.exists(storage.location(media.name))


def test_bytes_after_the_image_are_not_stored(authors_api: Api, stored: Path) -> None:
    assert authors_api.upload(PNG + b"<?php system($_GET['c']); ?>").status_code == 201
    for path in stored.rglob("*.*"):
        assert b"php" not in path.read_bytes()
        assert opened(path.read_bytes()).format in ("PNG", "WEBP")


def test_upload_restores_lost_files_of_the_same_image(authors_api: Api, stored: Path) -> None:
    first = authors_api.upload(PNG, alt_text="First").json()
    before = files(stored)
    next(path for path in stored.rglob("*-320.webp")).unlink()
    again = authors_api.upload(PNG, alt_text="Second")
    assert (again.status_code, again.json()) == (200, first)
    assert files(stored) == before


@pytest.mark.parametrize("count", [1, 30])
def test_number_of_queries_of_a_list_is_constant(
    authors_api: Api, author: User, count: int, django_assert_num_queries: Any
) -> None:
    for _ in range(count):
        make_media(author=author)
    authors_api.get("/media")
    with django_assert_num_queries(2):  # authentication, and the list
        assert len(authors_api.get("/media", {"limit": 100}).json()["items"]) == count
