"""`manage.py sweep_media`: deletes the files that a crash has left behind."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from tqdm import tqdm

from posts import media


class Command(BaseCommand):
    help = (
        "Delete stored files of images that no upload came to its end with: older than an hour, and named by no row. "
        "Example: manage.py sweep_media --dry-run"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="name the files, and delete none")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        found = list(tqdm(media.orphans(), unit="file", disable=None))
        if dry_run:
            for name in found:
                self.stdout.write(name)
            self.stdout.write(f"{len(found)} files have no row. Without --dry-run they are deleted.")
            return
        media.delete_files(found)
        self.stdout.write(f"Deleted {len(found)} files that had no row.")
