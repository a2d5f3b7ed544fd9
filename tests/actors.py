"""The rows and columns of the access matrices: who calls the API, and the state of the post that is asked for."""

from collections.abc import Callable

from accounts.models import User
from posts.models import Post
from tests.client import Api
from tests.factories import (
    make_admin,
    make_author,
    make_draft,
    make_editor,
    make_post,
    make_scheduled,
    make_trashed,
    make_user,
)

ACTORS = ("nobody", "reader", "author", "owner", "editor", "admin")
"""`nobody` sends no token. `owner` is the author of the post, and `author` is the author of other posts."""

STATES: dict[str, Callable[..., Post]] = {
    "draft": make_draft,
    "scheduled": make_scheduled,
    "published": make_post,
    "trashed": make_trashed,
}
"""The factory of a post in each state."""


def make_actor(actor: str, post: Post) -> User | None:
    """Return the user that plays this part for `post`, or None for `nobody`."""
    users: dict[str, Callable[[], User | None]] = {
        "nobody": lambda: None,
        "reader": make_user,
        "author": make_author,
        "owner": lambda: post.author,
        "editor": make_editor,
        "admin": make_admin,
    }
    return users[actor]()


def acting(api: Api, caller: User | None) -> Api:
    """Return the API with an access token of `caller`, or without a token if there is no caller."""
    return api.acting_as(caller) if caller else api
