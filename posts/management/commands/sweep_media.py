"""`manage.py sweep_media`: deletes the files that a crash has left behind."""

import shutil
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from tqdm import tqdm

from posts.media import services as media


class Command(BaseCommand):
    help = (
        "Delete what uploads left behind that did not come to their end: stored files that no row names, and temporary "
        "ones, older than an hour. Example: manage.py sweep_media --dry-run"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="name the files, and delete none")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        files = list(tqdm(media.orphans(), unit="file", disable=None))
        left = list(media.left_behind())
        if dry_run:
            for place in [*files, *left]:
                self.stdout.write(str(place))
            self.stdout.write(f"{len(files)} files have no row, {len(left)} temporary ones were left behind.")
            self.stdout.write("Without --dry-run they are deleted.")
            return
        media.delete_files(files)
        for path in left:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        self.stdout.write(f"Deleted {len(files)} files that had no row, and {len(left)} temporary ones.")
