"""`manage.py rebuild_content`: renders the content of all posts again."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from tqdm import tqdm

from posts.content import rebuilding
from posts.models import Post


class Command(BaseCommand):
    help = (
        "Render the Markdown of all posts again and store the HTML that differs. The versions and times of the posts "
        "stay as they are. `manage.py serve` does this after an upgrade. Example: manage.py rebuild_content --dry-run"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count the posts that differ, and store nothing")

    def handle(self, *, dry_run: bool, verbosity: int, **options: Any) -> None:
        progress = rebuilding.Progress()
        with tqdm(total=Post.objects.count(), unit="post", disable=None if verbosity else True) as bar:
            for progress in rebuilding.rebuild(dry_run=dry_run):
                bar.update(progress.rendered - bar.n)
        if not verbosity:
            return
        result = "differ; nothing was stored" if dry_run else "differed and were stored"
        self.stdout.write(f"Rendered {progress.rendered} posts: {progress.changed} {result}.")
        if progress.refused:
            ids = ", ".join(map(str, progress.refused))
            self.stdout.write(f"The renderer refuses {len(progress.refused)} posts, which keep their HTML: {ids}.")
