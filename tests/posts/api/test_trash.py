"""`DELETE /posts/{post_id}`, `POST /posts/{post_id}/restore`, and the command `purge_trash`."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from posts import services
from posts.models import Post, Revision
from tests.client import Api, assert_problem
from tests.factories import make_admin, make_author, make_draft, make_editor, make_post, make_scheduled, make_user


def test_trashed_post_is_only_in_lists_of_the_trash_and_of_all_posts(api: Api) -> None:
    author = make_author()
    authors_api = api.acting_as(author)
    post = make_post(author=author, tags=["bread"])
    assert authors_api.delete(f"/posts/{post.pk}").status_code == 204
    for method, path in [
        ("GET", f"/posts/{post.pk}"),
        ("GET", f"/posts/by-slug/{post.slug}"),
        ("PATCH", f"/posts/{post.pk}"),
        ("DELETE", f"/posts/{post.pk}"),
        ("POST", f"/posts/{post.pk}/publish"),
        ("POST", f"/posts/{post.pk}/preview-link"),
        ("GET", f"/posts/{post.pk}/revisions"),
        ("POST", f"/posts/{post.pk}/revisions/1/revert"),
        ("GET", "/tags/bread"),
        ("GET", f"/authors/{author.username}"),
    ]:
        assert_problem(authors_api.send(method, path), 404, "not_found")
    for status in ("published", "draft", "scheduled"):
        assert authors_api.get("/posts", {"status": status}).json()["items"] == []
    for status in ("trashed", "all"):
        (item,) = authors_api.get("/posts", {"status": status}).json()["items"]
        assert (item["id"], item["status"]) == (post.pk, "trashed")


@pytest.mark.parametrize("make", [make_post, make_draft, make_scheduled])
def test_restored_post_equals_the_original_except_for_its_version(api: Api, make: type) -> None:
    author = make_author()
    authors_api = api.acting_as(author)
    post = make(author=author, tags=["bread"])
    before = authors_api.get(f"/posts/{post.pk}").json()
    authors_api.delete(f"/posts/{post.pk}")
    after = authors_api.post(f"/posts/{post.pk}/restore").json()
    assert after == before | {"version": 3, "updated_at": after["updated_at"]}
    assert authors_api.get(f"/posts/{post.pk}").json() == after
    assert authors_api.post(f"/posts/{post.pk}/restore").json() == after


def test_trash_is_visible_to_owner_editor_and_admin_only(api: Api) -> None:
    post = make_post()
    services.trash_post(actor=post.author, post_id=post.pk)
    seen = [
        [item["id"] for item in caller.get("/posts", {"status": "trashed"}).json()["items"]]
        for caller in (
            api,
            *(api.acting_as(user) for user in (make_user(), make_author(), post.author, make_editor(), make_admin())),
        )
    ]
    assert seen == [[], [], [], [post.pk], [post.pk], [post.pk]]
    assert_problem(api.acting_as(make_author()).post(f"/posts/{post.pk}/restore"), 404, "not_found")
    assert api.acting_as(make_editor()).post(f"/posts/{post.pk}/restore").status_code == 200


def test_trashed_post_frees_its_slug_and_is_restored_with_a_free_slug(api: Api) -> None:
    author = make_author()
    authors_api = api.acting_as(author)
    post, other = make_post(author=author, title="Bread"), make_post(author=author, title="Rye")
    for deleted in (post, other):
        services.trash_post(actor=author, post_id=deleted.pk)
    taking = authors_api.post("/posts", {"title": "Bread", "content": "", "slug": "bread", "published": True})
    assert taking.status_code == 201
    assert authors_api.post(f"/posts/{post.pk}/restore").json()["slug"] == "bread-2"
    assert authors_api.post(f"/posts/{other.pk}/restore").json()["slug"] == "rye"
    assert api.get("/posts/by-slug/bread").json()["id"] == taking.json()["id"]
    assert api.get("/posts/by-slug/bread-2").json()["id"] == post.pk


@pytest.mark.django_db
def test_purge_trash_deletes_posts_older_than_the_given_age() -> None:
    author = make_author()
    old, new, kept = (make_post(author=author, tags=["a"]) for _ in range(3))
    for post in (old, new):
        services.trash_post(actor=author, post_id=post.pk)
    Post.objects.filter(pk=old.pk).update(trashed_at=timezone.now() - timedelta(days=31))
    output = StringIO()
    call_command("purge_trash", "--older-than", "30d", stdout=output)
    assert output.getvalue().startswith("Deleted 1 posts from the trash")
    assert set(Post.objects.all()) == {new, kept}
    assert not Revision.objects.filter(post=old.pk).exists()
    call_command("purge_trash", "--older-than", "0h", stdout=output)
    assert set(Post.objects.all()) == {kept}


@pytest.mark.parametrize("age", ["", "30", "d", "-1d", "1y", "30 d"])
def test_purge_trash_refuses_an_invalid_age(age: str) -> None:
    with pytest.raises(CommandError, match="is not an age"):
        call_command("purge_trash", f"--older-than={age}")
