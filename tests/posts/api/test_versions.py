"""The versions of a post: `If-Match`, and the endpoints of its revisions."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from pytest_django import Settings

from accounts.models import User
from posts import services
from posts.models import Post, Revision
from tests.client import Api, assert_problem
from tests.factories import make_author, make_editor, make_post, make_user
from tests.server import PASSWORD, manage, serving

CHANGES: list[tuple[str, str, Any]] = [
    ("PATCH", "", {"title": "After"}),
    ("DELETE", "", None),
    ("POST", "/publish", None),
    ("POST", "/unpublish", None),
    ("POST", "/revisions/1/revert", None),
    ("POST", "/restore", None),
]


@pytest.fixture
def author(db: None) -> User:
    return make_author()


@pytest.fixture
def authors_api(api: Api, author: User) -> Api:
    return api.acting_as(author)


class TestIfMatch:
    @pytest.mark.parametrize(("method", "action", "body"), CHANGES)
    def test_stale_version_changes_nothing_and_returns_the_current_etag(
        self, authors_api: Api, author: User, method: str, action: str, body: Any
    ) -> None:
        post = make_post(author=author)
        stale = authors_api.get(f"/posts/{post.pk}")["ETag"]
        current = authors_api.patch(f"/posts/{post.pk}", {"content": "Somebody else's."})["ETag"]
        before = Post.objects.filter(pk=post.pk).values().get()
        response = authors_api.send(method, f"/posts/{post.pk}{action}", body, **{"If-Match": stale})
        assert_problem(response, 412, "stale")
        assert response["ETag"] == current == authors_api.get(f"/posts/{post.pk}")["ETag"]
        assert Post.objects.filter(pk=post.pk).values().get() == before

    @pytest.mark.parametrize(
        ("if_match", "matches"),
        [
            ('"1-anything"', True),
            ('"9-x", "1-y"', True),
            ("*", True),
            ('W/"1-x"', False),
            ('"2-x"', False),
            ('"1"', False),
            ('"x-1-y"', False),
            ("1", False),
            ("", False),
            ('"' + "9" * 40 + '-x"', False),
        ],
    )
    def test_version_part_of_a_strong_etag_is_compared(
        self, authors_api: Api, author: User, if_match: str, matches: bool
    ) -> None:
        post = make_post(author=author)
        response = authors_api.patch(f"/posts/{post.pk}", {"title": "After"}, **{"If-Match": if_match})
        assert response.status_code == (200 if matches else 412)

    def test_change_without_if_match_is_not_checked(self, authors_api: Api, author: User) -> None:
        post = make_post(author=author)
        for title in ("First", "Second"):
            assert authors_api.patch(f"/posts/{post.pk}", {"title": title}).status_code == 200
        assert Post.objects.get().version == 3

    def test_user_who_may_not_change_the_post_gets_no_etag(self, api: Api) -> None:
        post = make_post()
        response = api.acting_as(make_user()).patch(f"/posts/{post.pk}", {}, **{"If-Match": '"9-x"'})
        assert_problem(response, 403, "forbidden")
        assert "ETag" not in response


class TestRevisions:
    def test_every_change_stores_a_revision_with_its_editor(self, api: Api, authors_api: Api, author: User) -> None:
        editor = make_editor(full_name="Ed Itor")
        created = authors_api.post("/posts", {"title": "One", "content": "Text.", "tags": ["a"]}).json()
        path = f"/posts/{created['id']}"
        api.acting_as(editor).patch(path, {"title": "Two"})
        authors_api.post(f"{path}/publish")
        authors_api.delete(path)
        authors_api.post(f"{path}/restore")
        page = authors_api.get(f"{path}/revisions").json()
        assert [revision["version"] for revision in page["items"]] == [5, 4, 3, 2, 1]
        assert [revision["title"] for revision in page["items"]] == ["Two"] * 4 + ["One"]
        assert [revision["published"] for revision in page["items"]] == [True, True, True, False, False]
        by = [revision["edited_by"]["username"] for revision in page["items"]]
        assert by == [author.username] * 3 + [editor.username, author.username]
        assert page["next"] is None
        first = authors_api.get(f"{path}/revisions/1").json()
        assert first == page["items"][-1]
        assert set(first) == {
            *("version", "title", "slug", "excerpt", "content", "tags", "published", "published_at"),
            *("cover_image_id", "edited_by", "created_at"),
        }

    def test_change_without_a_difference_stores_no_revision(self, authors_api: Api, author: User) -> None:
        post = make_post(author=author)
        authors_api.patch(f"/posts/{post.pk}", {"title": post.title})
        assert Revision.objects.count() == 1

    def test_revisions_are_paginated(self, authors_api: Api, author: User) -> None:
        post = make_post(author=author)
        for number in range(4):
            services.update_post(actor=author, post_id=post.pk, changes={"title": f"Title {number}"})
        page = authors_api.get(f"/posts/{post.pk}/revisions", {"limit": 3}).json()
        rest = authors_api.get(f"/posts/{post.pk}/revisions", {"limit": 3, "cursor": page["next"]}).json()
        assert [item["version"] for item in page["items"] + rest["items"]] == [5, 4, 3, 2, 1]

    def test_revert_restores_content_tags_and_slug_as_a_new_version(self, authors_api: Api, author: User) -> None:
        post = make_post(author=author, title="Before", content="Old *text*.", tags=["old"], excerpt="Old.")
        changes = {"title": "After", "content": "New.", "tags": ["new"], "excerpt": None, "slug": "after"}
        authors_api.patch(f"/posts/{post.pk}", changes)
        authors_api.post(f"/posts/{post.pk}/unpublish")
        result = authors_api.post(f"/posts/{post.pk}/revisions/1/revert").json()
        assert (result["title"], result["slug"], result["tags"]) == ("Before", "before", ["old"])
        assert (result["content_html"], result["excerpt"]) == ("<p>Old <em>text</em>.</p>\n", "Old.")
        assert (result["version"], result["published"]) == (4, False)

    def test_revision_of_a_deleted_user_has_no_editor(self, authors_api: Api, author: User) -> None:
        editor = make_editor()
        post = make_post(author=author)
        services.update_post(actor=editor, post_id=post.pk, changes={"title": "After"})
        editor.delete()
        assert authors_api.get(f"/posts/{post.pk}/revisions/2").json()["edited_by"] is None

    @pytest.mark.parametrize("path", ["/revisions", "/revisions/1"])
    def test_only_users_who_may_change_the_post_see_revisions(self, api: Api, path: str) -> None:
        post = make_post()
        assert_problem(api.get(f"/posts/{post.pk}{path}"), 401, "unauthenticated")
        assert_problem(api.acting_as(make_author()).get(f"/posts/{post.pk}{path}"), 403, "forbidden")
        assert api.acting_as(make_editor()).get(f"/posts/{post.pk}{path}").status_code == 200

    def test_missing_revision_is_not_found(self, authors_api: Api, author: User) -> None:
        post = make_post(author=author)
        assert_problem(authors_api.get(f"/posts/{post.pk}/revisions/2"), 404, "not_found")
        assert_problem(authors_api.post(f"/posts/{post.pk}/revisions/2/revert"), 404, "not_found")

    def test_revisions_keep_setting_limits_the_number_of_revisions(
        self, authors_api: Api, author: User, settings: Settings
    ) -> None:
        settings.REVISIONS_KEEP = 2
        post = make_post(author=author)
        for number in range(3):
            authors_api.patch(f"/posts/{post.pk}", {"title": f"Title {number}"})
        versions = [item["version"] for item in authors_api.get(f"/posts/{post.pk}/revisions").json()["items"]]
        assert versions == [4, 3]


@pytest.mark.slow
def test_fifty_concurrent_clients_with_if_match_lose_no_change(tmp_path: Path) -> None:
    """Each client reads, and then writes with `If-Match`. Every success adds one revision and keeps earlier changes."""
    assert manage(tmp_path, "migrate", "-v0").returncode == 0
    assert manage(tmp_path, "seed", "--password", PASSWORD).returncode == 0

    async def change_all(url: str) -> tuple[list[int], dict[str, Any], int]:
        limits = httpx.Limits(max_connections=50)
        async with httpx.AsyncClient(base_url=f"{url}/api/v1", limits=limits, timeout=60) as client:
            credentials = {"username": "author", "password": PASSWORD}
            token = (await client.post("/auth/login", json=credentials)).json()["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"
            post = (await client.post("/posts", json={"title": "Counted", "content": ""})).json()
            path = f"/posts/{post['id']}"

            async def change(number: int) -> int:
                read = await client.get(path)
                content = read.json()["content"] + f"{number}\n"
                headers = {"If-Match": read.headers["ETag"]}
                return (await client.patch(path, json={"content": content}, headers=headers)).status_code

            statuses = await asyncio.gather(*(change(number) for number in range(50)))
            stored = (await client.get(path)).json()
            count, cursor = 0, None
            while count == 0 or cursor:
                query = {"limit": "100"} | ({"cursor": cursor} if cursor else {})
                page = (await client.get(f"{path}/revisions", params=query)).json()
                count, cursor = count + len(page["items"]), page["next"]
            return list(statuses), stored, count

    with serving(tmp_path, "--no-migrate") as server:
        statuses, stored, revisions = asyncio.run(change_all(server.url))
    assert set(statuses) <= {200, 412}
    successes = statuses.count(200)
    assert successes >= 1
    assert stored["version"] == revisions == successes + 1
    assert len(stored["content"].splitlines()) == successes
    winners = {str(number) for number, status in enumerate(statuses) if status == 200}
    assert set(stored["content"].splitlines()) == winners
