"""Factories of valid rows for tests. Keyword arguments override the default values."""

from datetime import timedelta
from itertools import count
from typing import Any

from django.contrib.auth.hashers import make_password
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from accounts import services as accounts
from accounts.models import Role, User
from posts import services as posts
from posts.media.storage import location
from posts.models import Media, Post
from tests.images import image_bytes

PASSWORD = "quiet-river-lantern"
_numbers = count(1)


def make_user(**overrides: Any) -> User:
    """Create a reader. Without `password`, the user cannot log in with a password."""
    number = next(_numbers)
    fields: dict[str, Any] = {"username": f"user{number}", "email": f"user{number}@example.com", **overrides}
    return accounts.create_user(password_hash=make_password(fields.pop("password", None)), **fields)


def make_author(**overrides: Any) -> User:
    return make_user(role=Role.AUTHOR, **overrides)


def make_editor(**overrides: Any) -> User:
    return make_user(role=Role.EDITOR, **overrides)


def make_admin(**overrides: Any) -> User:
    return make_user(role=Role.ADMIN, **overrides)


def make_post(**overrides: Any) -> Post:
    """Create a post that was published an hour ago. Without `author`, a new author is created."""
    author = overrides.pop("author", None) or make_author()
    fields: dict[str, Any] = {
        "title": f"Post {next(_numbers)}",
        "content": "Some *text*.",
        "published": True,
        "published_at": timezone.now() - timedelta(hours=1),
        **overrides,
    }
    return posts.create_post(actor=author, **fields)


def make_media(**overrides: Any) -> Media:
    """Create an image with one variant, and store their files."""
    content = image_bytes()
    fields: dict[str, Any] = {
        "name": f"{next(_numbers):032x}.png",
        "content_type": "image/png",
        "width": 640,
        "height": 480,
        "bytes": len(content),
        "stored_bytes": 2 * len(content),
        "variants": [[320, 240]],
        "sha256": f"{next(_numbers):064x}",
        **overrides,
    }
    media = Media.objects.create(author=fields.pop("author", None) or make_author(), **fields)
    for name in media.file_names:
        default_storage.save(location(name), ContentFile(content))
    return media


def make_draft(**overrides: Any) -> Post:
    """Create a draft without a publication time."""
    return make_post(**{"published": False, "published_at": None, **overrides})


def make_trashed(**overrides: Any) -> Post:
    """Create a published post and move it to the trash."""
    post = make_post(**overrides)
    posts.trash_post(actor=post.author, post_id=post.pk)
    post.refresh_from_db()
    return post


def make_scheduled(**overrides: Any) -> Post:
    """Create a post that is scheduled for publication in an hour."""
    return make_post(**{"published_at": timezone.now() + timedelta(hours=1), **overrides})
