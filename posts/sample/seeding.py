"""Stores the sample data. Running a function again adds only what is missing."""

import random
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import islice

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from accounts import services as accounts
from accounts.models import User
from posts import services
from posts.content.markdown import RenderedContent, render
from posts.models import Post
from posts.sample.data import GENERATED_TAGS, POSTS, SENTENCE_PARTS, USERS

BATCH_SIZE = 1000
CONTENT_COUNT = 500
NEWEST = datetime(2026, 1, 1, tzinfo=UTC)
INTERVAL = timedelta(minutes=5)
RANDOM_SEED = 20260101


def non_sample_users() -> list[str]:
    """Return the usernames of the users who are not sample users, in alphabetical order."""
    sample = {(user.username, user.email) for user in USERS}
    users = User.objects.order_by("username").values_list("username", "email")
    return [username for username, email in users if (username, email) not in sample]


def sample_users() -> dict[str, User]:
    """Return the existing sample users by username."""
    emails = {sample.username: sample.email for sample in USERS}
    users = User.objects.filter(email__in=emails.values()).order_by("username")
    return {user.username: user for user in users if emails.get(user.username) == user.email}


def seed_users(*, password: str | None = None) -> dict[str, str]:
    """Create the missing sample users, and set the password of all sample users if `password` is given.

    Without `password`, each new user gets a random one. Returns the passwords that were set, by username.
    Raises `UsernameTaken` or `EmailTaken` if another user has the username or the email address of a sample user.
    """
    existing = sample_users()
    changed = [sample for sample in USERS if password is not None or sample.username not in existing]
    passwords = {sample.username: password or secrets.token_urlsafe(12) for sample in changed}
    hashes = {username: make_password(new) for username, new in passwords.items()}  # outside the transaction
    with transaction.atomic():
        for sample in changed:
            user, new_hash = existing.get(sample.username), hashes[sample.username]
            if user is None:
                accounts.create_user(password_hash=new_hash, email=sample.email, **asdict(sample))
            else:
                accounts.replace_password(user=user, old_hash=user.password, new_hash=new_hash)
    return passwords


@transaction.atomic
def seed_posts() -> int:
    """Create the missing sample posts, and return how many were created."""
    missing = [post for post in POSTS if not Post.objects.filter(title=post.title).exists()]
    users = sample_users()
    now = timezone.now()
    for sample in missing:
        post = services.create_post(
            actor=users[sample.author],
            title=sample.title,
            content=sample.content,
            tags=sample.tags,
            published=sample.age is not None,
            published_at=None if sample.age is None else now - sample.age,
        )
        if sample.trashed:
            services.trash_post(actor=users[sample.author], post_id=post.pk)
    return len(missing)


def seed_many_posts(count: int) -> Iterator[tuple[int, int]]:
    """Store `count` generated, published posts, except those that exist.

    Yields, for each batch, the number of its posts and how many of them are new. Every run generates the same posts:
    content, authors and tags come from a seeded random generator, and the n-th post was published n times five minutes
    before 2026.
    """
    authors = [user for user in sample_users().values() if user.is_author]
    contents = [(content, render(content)) for content in _contents()]
    numbers = iter(range(1, count + 1))
    while batch := list(islice(numbers, BATCH_SIZE)):
        posts = [_nth_post(number, authors, contents) for number in batch]
        existing = set(Post.objects.filter(slug__in=[post.slug for post in posts]).values_list("slug", flat=True))
        services.bulk_create_posts([post for post in posts if post.slug not in existing])
        yield len(batch), len(batch) - len(existing)


def _nth_post(number: int, authors: list[User], contents: list[tuple[str, RenderedContent]]) -> Post:
    generator = random.Random(RANDOM_SEED + number)  # noqa: S311 - not a secret
    content, rendered = generator.choice(contents)
    published_at = NEWEST - INTERVAL * number
    return Post(
        title=f"{_sentence(generator)} ({number})",
        slug=f"sample-{number}",
        content=content,
        author=generator.choice(authors),
        tags=generator.sample(GENERATED_TAGS, 3),
        published=True,
        published_at=published_at,
        created_at=published_at,
        updated_at=published_at,
        **asdict(rendered),
    )


def _contents() -> Iterable[str]:
    """Yield Markdown of about 1,000 characters each."""
    generator = random.Random(RANDOM_SEED)  # noqa: S311 - not a secret
    for _ in range(CONTENT_COUNT):
        paragraphs = (". ".join(_sentence(generator) for _ in range(5)) + "." for _ in range(4))
        yield "\n\n".join(["## " + _sentence(generator), *paragraphs])


def _sentence(generator: random.Random) -> str:
    return " ".join(generator.choice(part) for part in SENTENCE_PARTS)
