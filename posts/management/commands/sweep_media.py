"""`manage.py sweep_media`: deletes the files that uploads left behind in a crash."""

import shutil
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from tqdm import tqdm

from posts.media import storage


class Command(BaseCommand):
    help = (
        "Delete the files that uploads left behind in a crash: stored files that belong to no image, and temporary "
        "files, if older than an hour. Example: manage.py sweep_media --dry-run"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="list the files without deleting them")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        files = list(tqdm(storage.orphaned_files(), unit="file", disable=None))
        uploads = list(storage.orphaned_uploads())
        if dry_run:
            for path in [*files, *uploads]:
                self.stdout.write(str(path))
            self.stdout.write(f"{len(files)} stored files and {len(uploads)} temporary files would be deleted.")
            return
        storage.delete_files(files)
        for path in uploads:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        self.stdout.write(f"Deleted {len(files)} stored files and {len(uploads)} temporary files.")
