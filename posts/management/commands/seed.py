"""`manage.py seed`: stores sample data."""

from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from blogsite.db.migration_lock import migrate_under_lock
from blogsite.errors import BlogError
from posts.sample import seeding


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is not a number of posts")
    return int(text)


class Command(BaseCommand):
    help = (
        "Store sample data: the users admin, editor, author, coauthor and reader, and a dozen posts. Running it again "
        "adds only what is missing. Example: manage.py seed --posts 1000 --password correct-horse"
    )

    stealth_options = ("serving",)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--posts", type=_count, default=0, metavar="N", help="also generate N published posts")
        parser.add_argument(
            "--password", metavar="P", help="the password of all sample users (default: a random one for each)"
        )
        parser.add_argument("--yes", action="store_true", help="add sample data to a site that has other users")

    def handle(self, *, posts: int, password: str | None, yes: bool, serving: bool = False, **options: Any) -> None:
        if password == "":
            raise CommandError("The password must not be empty.")
        migrate_under_lock(verbosity=options["verbosity"])
        non_sample_users = seeding.non_sample_users()
        if non_sample_users and not yes:
            names = ", ".join(non_sample_users[:3])
            raise CommandError(
                f"This site has users who are not sample users ({names}). To add sample data anyway, use --yes."
            )
        try:
            passwords = seeding.seed_users(password=password)
            written = seeding.seed_posts()
        except BlogError as error:
            raise CommandError(f"A sample user cannot be created: {error.detail}") from None
        generated = 0
        if posts:
            with tqdm(total=posts, unit="post", disable=None if options["verbosity"] else True) as bar:
                for done, new in seeding.seed_many_posts(posts):
                    bar.update(done)
                    generated += new
        if not options["verbosity"]:
            return
        for username, chosen in passwords.items():
            self.stdout.write(f"  {username:<9} password: {chosen}")
        self.stdout.write(f"{len(passwords)} passwords of sample users set, {written + generated} posts written.")
        if not serving:
            self.stdout.write("Next: manage.py serve")
