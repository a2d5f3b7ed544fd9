"""Creates the databases for the measurements. It is a separate program, so that the measuring process needs no Django.

The environment variable `BLOG_DATA_DIR` names the folder.
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
from tests.benchmarks.content import BODIES, COMMON_TAG, SEED, TAGS, UNIQUE_TAG, markdown_body  # noqa: E402
from tests.benchmarks.workspace import AUTHORS, PASSWORD, author_name, published_at  # noqa: E402

BATCH = 10_000


def fill(posts: int) -> None:
    """Create the tables, the authors, and this many published posts, which are the same in every run."""
    call_command("migrate", verbosity=0)
    _make_authors()
    contents = [{"content": body, **asdict(render(body))} for body in map(markdown_body, range(BODIES))]
    with connection.cursor() as cursor:
        # The file need not survive a crash of the machine.
        cursor.execute("PRAGMA synchronous=OFF")
        cursor.execute("PRAGMA cache_size=-262144")
    with tqdm(total=posts, unit="post", unit_scale=True, desc=f"{posts:,} posts", leave=False) as bar:
        for start in range(1, posts + 1, BATCH):
            numbers = range(start, min(start + BATCH, posts + 1))
            with transaction.atomic():
                Post.objects.bulk_create(_posts(numbers, contents))
            bar.update(len(numbers))
    with connection.cursor() as cursor:
        # Move the write-ahead log into the database file, so that this one file can be copied.
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
                bio="Writes posts for benchmarks.",
                role=Role.AUTHOR,
                password=password,
            )
            for number in range(1, AUTHORS + 1)
        ]
    )


def _posts(numbers: Iterable[int], contents: list[dict[str, Any]]) -> Iterable[Post]:
    for number in numbers:
        rng = random.Random(SEED + number)  # noqa: S311 - reproducible posts, not a secret
        content = rng.choice(contents)
        moment = published_at(number)
        yield Post(
            pk=number,
            title=f"{content['derived_excerpt'][:40].strip()} ({number})",
            slug=f"post-{number}",
            author_id=rng.randint(1, AUTHORS),
            tags=_tags(number, rng),
            published=True,
            published_at=moment,
            created_at=moment,
            updated_at=moment,
            **content,
        )


def _tags(number: int, rng: random.Random) -> list[str]:
    """Return three tags. Every second post has `COMMON_TAG`, and only the newest has `UNIQUE_TAG`."""
    special = UNIQUE_TAG if number == 1 else COMMON_TAG if number % 2 == 0 else None
    return [special, *rng.sample(TAGS, 2)] if special else rng.sample(TAGS, 3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("posts", type=int)
    fill(parser.parse_args().posts)
