"""`manage.py purge_trash`: housekeeping, for a daily timer."""

import re
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts import idempotency
from posts import services

UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def _age(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,5})([hdw])", text)
    if found is None:
        raise ArgumentTypeError(f"{text!r} is not an age: a number and h, d or w, such as 30d")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


class Command(BaseCommand):
    help = (
        "Delete for good the posts that have been in the trash for some time, with their revisions; and the answers to "
        "requests with an Idempotency-Key that are older than 24 hours. Example: manage.py purge_trash --older-than 30d"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        explanation = "such as 12h, 30d or 8w (default: %(default)s)"
        parser.add_argument("--older-than", type=_age, default="30d", metavar="AGE", help=explanation)

    def handle(self, *, older_than: timedelta, **options: Any) -> None:
        posts, answers = services.purge_trash(older_than=older_than), idempotency.purge()
        self.stdout.write(f"Deleted {posts} posts from the trash, and {answers} old answers to repeated requests.")
