"""The index of tags: checked, rebuilt; and tags that are renamed over all their posts."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from blogsite.errors import Forbidden
from posts import services, triggers
from posts.models import Post, PostTag
from tests.factories import make_admin, make_author, make_draft, make_editor, make_post

pytestmark = pytest.mark.django_db

TAGS = "/admin/posts/post/tags/"


def check() -> None:
    call_command("check", "--database", "default", stdout=StringIO(), stderr=StringIO())


def index() -> set[tuple[str, int]]:
    return set(PostTag.objects.values_list("name", "post"))


class TestTheIndex:
    def test_a_right_one_passes_the_check(self) -> None:
        post = make_post(tags=["a", "b"])
        make_draft(tags=["a"])
        services.trash_post(actor=post.author, post_id=post.pk)
        check()

    def test_a_wrong_one_is_found_and_mended(self) -> None:
        post, draft = make_post(tags=["a", "b"]), make_draft(tags=["c"])
        right = set(PostTag.objects.values_list("name", "post", "published_at"))
        PostTag.objects.filter(name="b").delete()
        PostTag.objects.filter(name="c").update(name="d")
        with pytest.raises(CommandError, match=r"posts\.E002"):
            check()
        output = StringIO()
        call_command("rebuild_indexes", stdout=output)
        assert output.getvalue() == "Rebuilt the indexes. The tag index has 3 rows.\n"
        assert set(PostTag.objects.values_list("name", "post", "published_at")) == right
        assert index() == {("a", post.pk), ("b", post.pk), ("c", draft.pk)}
        check()

    def test_a_lost_trigger_is_found_and_made_anew(self) -> None:
        with connection.cursor() as cursor:
            name = "posts_post_tags_update"
            cursor.execute(f"DROP TRIGGER {name}" + ("" if connection.vendor == "sqlite" else " ON posts_post"))
        with pytest.raises(CommandError, match=name):
            check()
        triggers.install()
        check()


class TestRenaming:
    def test_every_post_gets_the_new_tag_as_a_new_version(self) -> None:
        editor = make_editor()
        first, second, other = make_post(tags=["x", "old", "y"]), make_draft(tags=["old"]), make_post(tags=["z"])
        assert services.rename_tag(actor=editor, old="old", new="new") == 2
        first, second, other = (Post.objects.get(pk=post.pk) for post in (first, second, other))
        assert (first.tags, second.tags, other.tags) == (["x", "new", "y"], ["new"], ["z"])
        assert (first.version, second.version, other.version) == (2, 2, 1)
        assert {revision.edited_by for revision in first.revisions.filter(version=2)} == {editor}
        assert not PostTag.objects.filter(name="old").exists()

    def test_a_tag_that_is_there_already_is_merged(self) -> None:
        post = make_post(tags=["a", "b", "c"])
        services.rename_tag(actor=make_admin(), old="c", new="a")
        post.refresh_from_db()
        assert post.tags == ["a", "b"]
        assert index() == {("a", post.pk), ("b", post.pk)}

    def test_authors_may_not(self) -> None:
        author = make_author()
        make_post(author=author, tags=["old"])
        with pytest.raises(Forbidden):
            services.rename_tag(actor=author, old="old", new="new")


class TestThePage:
    def test_an_editor_renames_a_tag(self, client: Client) -> None:
        post = make_post(tags=["bread & <b>"])
        client.force_login(make_editor())
        assert TAGS in client.get("/admin/posts/post/").content.decode()
        assert "<td>bread &amp; &lt;b&gt;</td><td>1</td>" in client.get(TAGS).content.decode()
        response = client.post(TAGS, {"old": " Bread &  <b>", "new": "  RYE "}, follow=True)
        assert "to rye in 1 posts." in response.content.decode()
        post.refresh_from_db()
        assert post.tags == ["rye"]

    @pytest.mark.parametrize("form", [{}, {"old": "a", "new": ""}, {"old": "a", "new": "x" * 51}])
    def test_a_bad_tag_is_told_and_changes_nothing(self, client: Client, form: dict[str, str]) -> None:
        post = make_post(tags=["a"])
        client.force_login(make_editor())
        response = client.post(TAGS, form)
        assert (response.status_code, "errorlist" in response.content.decode()) == (200, bool(form))
        post.refresh_from_db()
        assert post.tags == ["a"]

    def test_authors_are_kept_out(self, client: Client) -> None:
        client.force_login(make_author())
        assert client.get(TAGS).status_code == 403
        assert TAGS not in client.get("/admin/posts/post/").content.decode()
