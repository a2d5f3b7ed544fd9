"""Makes the databases that are measured. A program of its own, so that the one that measures needs no Django.

`BLOG_DATA_DIR` says where.
"""

import argparse
import random
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import django

django.setup()

from django.contrib.auth.hashers import make_password  # noqa: E402 - the models need Django to be set up
from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from tqdm import tqdm  # noqa: E402

from accounts.models import Role, User  # noqa: E402
from posts.content.markdown import render  # noqa: E402
from posts.models import Post  # noqa: E402
from tests.benchmarks.texts import BODIES, COMMON_TAG, LONE_TAG, SEED, TAGS, body_of  # noqa: E402
from tests.benchmarks.workplace import AUTHORS, PASSWORD, author_name, published_at  # noqa: E402

BATCH = 10_000


def fill(posts: int) -> None:
    """Make the tables, the authors, and the first `posts` of an endless row of published posts."""
    call_command("migrate", verbosity=0)
    _make_authors()
    texts = [{"content": body, **asdict(render(body))} for body in map(body_of, range(BODIES))]
    with connection.cursor() as cursor:
        # Nobody misses the file if the machine fails meanwhile.
        cursor.execute("PRAGMA synchronous=OFF")
        cursor.execute("PRAGMA cache_size=-262144")
    with tqdm(total=posts, unit="post", unit_scale=True, desc=f"{posts:,} posts", leave=False) as bar:
        for start in range(1, posts + 1, BATCH):
            numbers = range(start, min(start + BATCH, posts + 1))
            with transaction.atomic():
                Post.objects.bulk_create(_posts(numbers, texts))
            bar.update(len(numbers))
    with connection.cursor() as cursor:
        # One file without a log beside it: it can be copied.
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _make_authors() -> None:
    password = make_password(PASSWORD)
    User.objects.bulk_create(
        [
            User(
                pk=number,
                username=author_name(number),
                email=f"{author_name(number)}@example.org",
                full_name=f"Author Number {number}",
                bio="Writes posts to be measured.",
                role=Role.AUTHOR,
                password=password,
            )
            for number in range(1, AUTHORS + 1)
        ]
    )


def _posts(numbers: Iterable[int], texts: list[dict[str, Any]]) -> Iterable[Post]:
    for number in numbers:
        chance = random.Random(SEED + number)  # noqa: S311 - the same posts each time, not a secret
        text = chance.choice(texts)
        moment = published_at(number)
        yield Post(
            pk=number,
            title=f"{text['derived_excerpt'][:40].strip()} ({number})",
            slug=f"post-{number}",
            author_id=chance.randint(1, AUTHORS),
            tags=_tags(number, chance),
            published=True,
            published_at=moment,
            created_at=moment,
            updated_at=moment,
            **text,
        )


def _tags(number: int, chance: random.Random) -> list[str]:
    """Three tags: `COMMON_TAG` on every second post, `LONE_TAG` on the newest alone."""
    special = LONE_TAG if number == 1 else COMMON_TAG if number % 2 == 0 else None
    return [special, *chance.sample(TAGS, 2)] if special else chance.sample(TAGS, 3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("posts", type=int)
    fill(parser.parse_args().posts)
