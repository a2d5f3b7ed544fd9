"""Fills a blog with sample data: again and again with the same result."""

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
from posts.models import Post
from posts.rendering import Rendered, render
from posts.sample.data import POSTS, USERS

BATCH = 1000
BODIES = 500
NEWEST = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)
SEED = 20260101

_SUBJECTS = ("The baker", "A cyclist", "My neighbour", "The river", "An old index", "The night train", "Our editor")
_VERBS = ("forgets", "remembers", "repairs", "discovers", "measures", "paints", "translates", "follows")
_OBJECTS = ("the slow road", "a broken clock", "every query plan", "two loaves of rye", "a map of the market")
_ENDINGS = ("before sunrise", "in the rain", "without a word", "for the third time", "on a Sunday", "at last")
_TAGS = (
    "baking",
    "bread",
    "cooking",
    "cycling",
    "databases",
    "editing",
    "lists",
    "soup",
    "sqlite",
    "trains",
    "writing",
)


def non_sample_users() -> list[str]:
    """The names of the users who are not of the sample blog."""
    ours = {(user.username, user.email) for user in USERS}
    users = User.objects.order_by("username").values_list("username", "email")
    return [username for username, email in users if (username, email) not in ours]


def sample_users() -> dict[str, User]:
    """The users of the sample blog that are there, by their names."""
    users = User.objects.filter(email__in=[sample.email for sample in USERS]).order_by("username")
    ours = {(sample.username, sample.email) for sample in USERS}
    return {user.username: user for user in users if (user.username, user.email) in ours}


def seed_users(*, password: str | None = None) -> dict[str, str]:
    """Make the sample users that are missing, and give all of them `password` if there is one.

    Without it each new user gets a random one. Returns the passwords that were set, by username.
    Raises `UsernameTaken`, `EmailTaken` where somebody else has one of these names or addresses.
    """
    known = sample_users()
    changed = [sample for sample in USERS if password is not None or sample.username not in known]
    passwords = {sample.username: password or secrets.token_urlsafe(12) for sample in changed}
    hashes = {username: make_password(chosen) for username, chosen in passwords.items()}  # before the transaction
    with transaction.atomic():
        for sample in changed:
            user, new_hash = known.get(sample.username), hashes[sample.username]
            if user is None:
                accounts.create_user(password_hash=new_hash, email=sample.email, **asdict(sample))
            else:
                accounts.replace_password(user=user, old_hash=user.password, new_hash=new_hash)
    return passwords


@transaction.atomic
def seed_posts() -> int:
    """Write the sample posts that are missing; the number of them is returned."""
    missing = [post for post in POSTS if not Post.objects.filter(title=post.title).exists()]
    users = sample_users()
    now = timezone.now()
    for sample in missing:
        post = services.create_post(
            actor=users[sample.author],
            title=sample.title,
            content=sample.content,
            tags=list(sample.tags),
            published=sample.age is not None,
            published_at=None if sample.age is None else now - sample.age,
        )
        if sample.trashed:
            services.trash_post(actor=users[sample.author], post_id=post.pk)
    return len(missing)


def seed_many_posts(count: int) -> Iterator[tuple[int, int]]:
    """Store the first `count` of an endless row of published posts, but for those that are there.

    Yields, batch by batch, how many of them are done and how many of these are new. The posts are the same each time:
    texts, authors and times come from a seeded generator, and the n-th was published n steps of five minutes before
    2026.
    """
    writers = [user for user in sample_users().values() if user.is_author]
    bodies = [(body, render(body)) for body in _bodies()]
    numbers = iter(range(1, count + 1))
    while batch := list(islice(numbers, BATCH)):
        posts = [_nth_post(number, writers, bodies) for number in batch]
        there = set(Post.objects.filter(slug__in=[post.slug for post in posts]).values_list("slug", flat=True))
        services.import_posts([post for post in posts if post.slug not in there])
        yield len(batch), len(batch) - len(there)


def _nth_post(number: int, writers: list[User], bodies: list[tuple[str, Rendered]]) -> Post:
    chance = random.Random(SEED + number)  # noqa: S311 - the same posts each time, not a secret
    content, rendered = chance.choice(bodies)
    moment = NEWEST - STEP * number
    return Post(
        title=f"{_sentence(chance)} ({number})",
        slug=f"sample-{number}",
        content=content,
        author=chance.choice(writers),
        tags=chance.sample(_TAGS, 3),
        published=True,
        published_at=moment,
        created_at=moment,
        updated_at=moment,
        **asdict(rendered),
    )


def _bodies() -> Iterable[str]:
    """Texts of about 1,000 characters."""
    chance = random.Random(SEED)  # noqa: S311 - the same texts each time, not a secret
    for _ in range(BODIES):
        paragraphs = (". ".join(_sentence(chance) for _ in range(5)) + "." for _ in range(4))
        yield "\n\n".join(["## " + _sentence(chance), *paragraphs])


def _sentence(chance: random.Random) -> str:
    return " ".join(chance.choice(words) for words in (_SUBJECTS, _VERBS, _OBJECTS, _ENDINGS))
