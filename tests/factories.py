"""Rows for tests: each factory makes a good one, and takes overrides."""

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
    """A reader who cannot log in by password, unless `password` gives one."""
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
    """A post that was published an hour ago, by an author of its own."""
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
    """A stored image, with files of its own, and a variant."""
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
    return make_post(**{"published": False, "published_at": None, **overrides})


def make_trashed(**overrides: Any) -> Post:
    """A post that was public, and is in the trash."""
    post = make_post(**overrides)
    posts.trash_post(actor=post.author, post_id=post.pk)
    post.refresh_from_db()
    return post


def make_scheduled(**overrides: Any) -> Post:
    """A post that becomes public in an hour."""
    return make_post(**{"published_at": timezone.now() + timedelta(hours=1), **overrides})
