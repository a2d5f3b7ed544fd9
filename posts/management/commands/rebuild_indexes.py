"""`manage.py rebuild_indexes`: rebuilds the tag index and the search index."""

from typing import Any

from django.core.management.base import BaseCommand

from posts import triggers


class Command(BaseCommand):
    help = (
        "Rebuild the tag index and the search index. Database triggers normally update both. Run this when "
        "`manage.py check --database default` reports missing triggers or a wrong index. "
        "Example: manage.py rebuild_indexes"
    )

    def handle(self, **options: Any) -> None:
        self.stdout.write(f"Rebuilt the indexes. The tag index has {triggers.rebuild()} rows.")
