"""Rows become instances without `__init__`, and behave as any other."""

import pytest
from django.db.models.signals import post_init

from blogsite.db.compiled_queries import CurrentTime
from posts.models import Post
from tests.factories import make_draft, make_post, make_scheduled


@pytest.mark.django_db
class TestQuicklyLoaded:
    def test_a_loaded_instance_knows_its_values_and_that_it_is_stored(self) -> None:
        post = make_post(tags=["a"])
        loaded = Post.objects.get(pk=post.pk)
        fields = [field.attname for field in Post._meta.concrete_fields]
        assert {name: getattr(loaded, name) for name in fields} == {name: getattr(post, name) for name in fields}
        assert (loaded._state.adding, loaded._state.db) == (False, "default")
        assert loaded == post

    def test_fields_that_were_not_asked_for_are_deferred(self) -> None:
        post = make_post(content="Later.")
        loaded = Post.objects.only("title").get(pk=post.pk)
        assert "content" in loaded.get_deferred_fields()
        assert loaded.content == "Later."
        assert "content" not in loaded.get_deferred_fields()

    def test_a_loaded_instance_can_be_changed_and_stored(self) -> None:
        loaded = Post.objects.get(pk=make_post().pk)
        loaded.title = "Changed"
        loaded.save(update_fields=["title"])
        loaded.refresh_from_db()
        assert loaded.title == "Changed"
        assert Post.objects.count() == 1

    def test_no_receiver_waits_for_what_is_not_sent(self) -> None:
        assert not post_init.has_listeners(Post)


@pytest.mark.django_db
def test_a_kept_queryset_compares_with_the_time_at_which_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduled, _, past = make_scheduled(), make_draft(), make_post()
    kept = Post.objects.filter(published_at__lte=CurrentTime()).order_by("pk")
    assert list(kept.all()) == [past]
    assert scheduled.published_at
    moment = scheduled.published_at
    monkeypatch.setattr("blogsite.db.compiled_queries.timezone.now", lambda: moment)
    assert list(kept.all()) == [scheduled, past]


@pytest.mark.django_db
def test_the_questions_that_are_built_once_give_no_old_answer() -> None:
    assert not list(Post.objects.published())
    post = make_post()
    assert list(Post.objects.published()) == [post]
    assert list(Post.objects.published()) == [post]
