"""Instances that are loaded without `__init__` behave like ordinary ones."""

import pytest
from django.db.models.signals import post_init

from blogsite.db.compiled_queries import CurrentTime
from posts.models import Post
from tests.factories import make_draft, make_post, make_scheduled


@pytest.mark.django_db
class TestFastLoadingModel:
    def test_loaded_instance_has_its_values_and_state(self) -> None:
        post = make_post(tags=["a"])
        loaded = Post.objects.get(pk=post.pk)
        fields = [field.attname for field in Post._meta.concrete_fields]
        assert {name: getattr(loaded, name) for name in fields} == {name: getattr(post, name) for name in fields}
        assert (loaded._state.adding, loaded._state.db) == (False, "default")
        assert loaded == post

    def test_fields_that_were_not_selected_are_deferred(self) -> None:
        post = make_post(content="Later.")
        loaded = Post.objects.only("title").get(pk=post.pk)
        assert "content" in loaded.get_deferred_fields()
        assert loaded.content == "Later."
        assert "content" not in loaded.get_deferred_fields()

    def test_loaded_instance_can_be_changed_and_saved(self) -> None:
        loaded = Post.objects.get(pk=make_post().pk)
        loaded.title = "Changed"
        loaded.save(update_fields=["title"])
        loaded.refresh_from_db()
        assert loaded.title == "Changed"
        assert Post.objects.count() == 1

    def test_post_init_has_no_receivers(self) -> None:
        assert not post_init.has_listeners(Post)


@pytest.mark.django_db
def test_reused_queryset_compares_with_the_current_time(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduled, _, past = make_scheduled(), make_draft(), make_post()
    reused = Post.objects.filter(published_at__lte=CurrentTime()).order_by("pk")
    assert list(reused.all()) == [past]
    assert scheduled.published_at
    moment = scheduled.published_at
    monkeypatch.setattr("blogsite.db.compiled_queries.timezone.now", lambda: moment)
    assert list(reused.all()) == [scheduled, past]


@pytest.mark.django_db
def test_scope_that_is_built_once_returns_no_old_rows() -> None:
    assert not list(Post.objects.published())
    post = make_post()
    assert list(Post.objects.published()) == [post]
    assert list(Post.objects.published()) == [post]
