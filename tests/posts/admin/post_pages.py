"""The addresses of the admin pages of posts, what a browser sends to them, and what they show."""

from typing import Any

from django.test import Client

from posts.admin.forms import TagsField
from posts.models import Post

LIST = "/admin/posts/post/"
ADD = "/admin/posts/post/add/"


def page(post: Post, action: str = "change") -> str:
    """Return the path of a page of one post."""
    return f"{LIST}{post.pk}/{action}/"


def form(**fields: Any) -> dict[str, Any]:
    """Return what a browser sends for a new post, with overrides."""
    blank = {"slug": "", "excerpt": "", "tags": "", "published_at_0": "", "published_at_1": ""}
    return {"title": "Rye and time", "content": "Some *text*.", **blank, **fields}


def form_of(post: Post, **fields: Any) -> dict[str, Any]:
    """Return what a browser sends for an existing post, with overrides; None removes a field."""
    moment = post.published_at
    filled = form(
        title=post.title,
        slug=post.slug,
        content=post.content,
        excerpt=post.excerpt,
        tags=TagsField().prepare_value(post.tags),
        author=post.author.pk,
        published="on" if post.published else None,
        published_at_0=moment.strftime("%Y-%m-%d") if moment else "",
        published_at_1=moment.strftime("%H:%M:%S") if moment else "",
    )
    return {name: value for name, value in {**filled, **fields}.items() if value is not None}


def errors(response: Any) -> dict[str, list[str]]:
    """Return the errors of the form that a page shows, by field."""
    assert response.status_code == 200
    return dict(response.context["adminform"].form.errors)


def listed(pages: Client, query: dict[str, str] | None = None) -> set[str]:
    """Return the titles in the list of posts."""
    response = pages.get(LIST, query)
    assert response.status_code == 200
    return {post.title for post in response.context["cl"].queryset}


def act(pages: Client, action: str, *posts: Post) -> list[str]:
    """Run an action of the list on some posts, and return the messages that follow."""
    chosen = [post.pk for post in posts]
    response = pages.post(LIST, {"action": action, "_selected_action": chosen, "post": "yes"}, follow=True)
    return [str(message) for message in response.context["messages"]]


def stored(post: Post) -> Any:
    """Return the post's columns as they are in the database."""
    return Post.objects.filter(pk=post.pk).values().get()
