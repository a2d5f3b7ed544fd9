"""Rendering stored posts again, as `manage.py rebuild_content` and `manage.py serve` do."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from blogsite.errors import Invalid
from posts import services
from posts.content import markdown, rebuilding
from posts.content.markdown import RENDERER_VERSION
from posts.models import Post, RendererState, Revision
from tests.factories import make_draft, make_post
from tests.server import manage, serving

OLD = {"content_html": "<p>Old</p>", "derived_excerpt": "Old", "reading_minutes": 99}


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("rebuild_content", *arguments, stdout=out)
    return out.getvalue()


def rows() -> list[Any]:
    return list(Post.objects.order_by("pk").values())


@pytest.mark.django_db
class TestCommand:
    def test_it_stores_what_differs_and_changes_nothing_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rebuilding, "BATCH", 2)
        posts = [make_post(), make_draft(), make_post()]
        services.trash_post(actor=posts[2].author, post_id=posts[2].pk)
        before, revisions = rows(), list(Revision.objects.order_by("pk").values())
        Post.objects.filter(pk__in=[posts[0].pk, posts[2].pk]).update(**OLD)
        RendererState.objects.all().delete()
        assert rebuilding.is_outdated()
        assert run() == "Rendered 3 posts: 2 differed and were stored.\n"
        assert rows() == before
        assert list(Revision.objects.order_by("pk").values()) == revisions
        assert not rebuilding.is_outdated()
        assert run() == "Rendered 3 posts: 0 differed and were stored.\n"

    def test_a_dry_run_stores_nothing(self) -> None:
        make_post()
        Post.objects.update(**OLD)
        RendererState.objects.update(version=0)
        before = rows()
        assert run("--dry-run") == "Rendered 1 posts: 1 differ; nothing was stored.\n"
        assert rows() == before
        assert rebuilding.is_outdated()

    def test_a_post_that_is_edited_meanwhile_keeps_the_edit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        post = make_post()
        Post.objects.update(**OLD)

        def render_while_somebody_edits(content: str) -> markdown.RenderedContent:
            services.update_post(actor=post.author, post_id=post.pk, changes={"content": "The edit."})
            return markdown.render(content)

        monkeypatch.setattr(rebuilding, "render", render_while_somebody_edits)
        assert run() == "Rendered 1 posts: 0 differed and were stored.\n"
        assert Post.objects.values("content_html", "version").get() == {
            "content_html": "<p>The edit.</p>\n",
            "version": 2,
        }

    def test_a_post_that_is_refused_keeps_its_html(self, monkeypatch: pytest.MonkeyPatch) -> None:
        refused, other = make_post(content="refused"), make_post()
        Post.objects.update(**OLD)

        def refusing(content: str) -> markdown.RenderedContent:
            if content == "refused":
                raise Invalid(errors=[])
            return markdown.render(content)

        monkeypatch.setattr(rebuilding, "render", refusing)
        assert run() == (
            "Rendered 2 posts: 1 differed and were stored.\n"
            f"The renderer refuses 1 posts, which keep their HTML: {refused.pk}.\n"
        )
        assert Post.objects.get(pk=refused.pk).content_html == OLD["content_html"]
        assert Post.objects.get(pk=other.pk).content_html != OLD["content_html"]
        assert not rebuilding.is_outdated()


@pytest.mark.django_db
def test_a_database_without_posts_is_never_outdated() -> None:
    RendererState.objects.all().delete()
    rebuilding.record_version_if_empty()
    assert RendererState.objects.get().version == RENDERER_VERSION
    make_post()
    RendererState.objects.update(version=RENDERER_VERSION - 1)
    rebuilding.record_version_if_empty()
    assert rebuilding.is_outdated()


_MAKE_OLD = (
    "from posts.models import Post, RendererState;"
    "Post.objects.update(content_html='<p>Old</p>'); RendererState.objects.update(version=0)"
)


def test_serve_renders_posts_again_after_an_upgrade(tmp_path: Path) -> None:
    assert manage(tmp_path, "seed", "--posts", "3").returncode == 0
    with serving(tmp_path) as server:
        assert "Rendered" not in server.log.read_text()
    assert manage(tmp_path, "shell", "-c", _MAKE_OLD).returncode == 0
    with serving(tmp_path) as server:
        assert "Rendered 17 posts: 17 differed and were stored." in server.log.read_text()
    with serving(tmp_path) as server:
        assert "Rendered" not in server.log.read_text()
