"""The visibility matrix: every place that shows posts, for every role, with a post in every state."""

import json
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from django.test import Client

from posts import preview_links
from posts.models import Post
from tests.actors import ACTORS, STATES, acting, make_actor
from tests.client import Api

Probe = Callable[[Api, Client, Post], bool]
"""Returns whether the caller sees the post in one place."""

Rule = Callable[[str, str], bool]
"""Returns whether an actor is expected to see a post in a state."""


def listed(status: str = "", **query: Any) -> Probe:
    """Whether the post is in the list for this query. `{state}` in `status` stands for the state of the post."""

    def probe(api: Api, client: Client, post: Post) -> bool:
        parameters = query | ({"status": status.format(state=post.status)} if status else {})
        page = api.get("/posts", parameters | {"count": "true"}).json()
        seen = post.pk in [item["id"] for item in page["items"]]
        assert (page["count"] > 0) == bool(page["items"])
        return seen

    return probe


def found_at(path: str) -> Probe:
    """Whether the API returns 200 for the path."""

    def probe(api: Api, client: Client, post: Post) -> bool:
        response = api.get(path.format(id=post.pk, slug=post.slug, author=post.author.username))
        assert response.status_code in (200, 401, 403, 404)
        return bool(response.status_code == 200)

    return probe


def not_empty(path: str) -> Probe:
    """Whether the list at the path has any items."""
    return lambda api, client, post: bool(api.get(path).json()["items"])


def written_in(path: str) -> Probe:
    """Whether the title or the URL of the post is in a page that a browser loads with the cookies of the actor."""

    def probe(api: Api, client: Client, post: Post) -> bool:
        response = client.get(path.format(id=post.pk, author=post.author.username))
        text = response.content.decode()
        return response.status_code == 200 and (post.title in text or f"/posts/{post.slug}<" in text)

    return probe


def is_public(actor: str, state: str) -> bool:
    return state == "published"


def may_manage(actor: str, state: str) -> bool:
    return actor in ("owner", "editor", "admin")


def may_see(actor: str, state: str) -> bool:
    return is_public(actor, state) or may_manage(actor, state)


def may_read(actor: str, state: str) -> bool:
    return may_see(actor, state) and state != "trashed"


def may_change(actor: str, state: str) -> bool:
    return may_manage(actor, state) and state != "trashed"


PLACES: dict[str, tuple[Probe, Rule]] = {
    "list": (listed(), is_public),
    "list of its state": (listed("{state}"), may_see),
    "list of all": (listed("all"), may_see),
    "list with content": (listed("all", include="content"), may_see),
    "list by tag": (listed("all", tag="rivers"), may_see),
    "search": (listed(q="lantern"), is_public),
    "search of its state": (listed("{state}", q="lantern"), may_see),
    "detail": (found_at("/posts/{id}"), may_read),
    "detail by slug": (found_at("/posts/by-slug/{slug}"), may_read),
    "revisions": (found_at("/posts/{id}/revisions"), may_change),
    "revision": (found_at("/posts/{id}/revisions/1"), may_change),
    "tags": (not_empty("/tags"), is_public),
    "tag": (found_at("/tags/rivers"), is_public),
    "authors": (not_empty("/authors"), is_public),
    "author": (found_at("/authors/{author}"), is_public),
    "rss": (written_in("/feeds/rss.xml"), is_public),
    "atom": (written_in("/feeds/atom.xml"), is_public),
    "json feed": (written_in("/feeds/feed.json"), is_public),
    "feed of its tag": (written_in("/feeds/tags/rivers/rss.xml"), is_public),
    "feed of its author": (written_in("/feeds/authors/{author}/atom.xml"), is_public),
    "sitemap": (written_in("/sitemap.xml"), is_public),
    "admin list": (written_in("/admin/posts/post/"), may_manage),
    "admin page": (written_in("/admin/posts/post/{id}/change/"), may_manage),
    "admin revisions": (written_in("/admin/posts/post/{id}/revisions/"), may_manage),
}


@pytest.mark.parametrize(("place", "actor", "state"), list(product(PLACES, ACTORS, STATES)))
def test_post_is_visible_exactly_where_the_rule_says(
    api: Api, client: Client, place: str, actor: str, state: str
) -> None:
    post = STATES[state](title="A quiet lantern", tags=["rivers"])
    caller = make_actor(actor, post)
    if caller is not None:
        client.force_login(caller)
    probe, rule = PLACES[place]
    assert probe(acting(api, caller), client, post) == rule(actor, state)


@pytest.mark.parametrize("state", STATES)
def test_preview_shows_a_post_in_every_state_but_the_trash(api: Api, state: str) -> None:
    post = STATES[state]()
    response = api.get(f"/posts/preview/{preview_links.make(post.pk).token}")
    assert (response.status_code == 200) == (state != "trashed")
    assert json.loads(response.content)["status"] == (state if state != "trashed" else 404)
