"""`manage.py purge_trash`: deletes old data for good. Run it daily."""

import re
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts import idempotency
from posts import services

UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def _age(text: str) -> timedelta:
    match = re.fullmatch(r"(\d{1,5})([hdw])", text)
    if match is None:
        raise ArgumentTypeError(f"{text!r} is not an age, such as 30d: a number followed by h, d or w")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


class Command(BaseCommand):
    help = (
        "Permanently delete posts that have been in the trash for a certain time, with their revisions, and stored "
        "responses to requests with an Idempotency-Key older than 24 hours. "
        "Example: manage.py purge_trash --older-than 30d"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        help_text = "such as 12h, 30d or 8w (default: %(default)s)"
        parser.add_argument("--older-than", type=_age, default="30d", metavar="AGE", help=help_text)

    def handle(self, *, older_than: timedelta, **options: Any) -> None:
        posts, responses = services.purge_trash(older_than=older_than), idempotency.purge()
        self.stdout.write(f"Deleted {posts} posts from the trash and {responses} stored responses.")
