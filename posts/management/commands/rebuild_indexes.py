"""`manage.py rebuild_indexes`: mends the indexes of tags and of texts."""

from typing import Any

from django.core.management.base import BaseCommand

from posts import triggers


class Command(BaseCommand):
    help = (
        "Make the indexes of tags and of texts anew. The database keeps them by triggers: this is for one "
        "whose triggers were lost, as `manage.py check --database default` tells. Example: manage.py rebuild_indexes"
    )

    def handle(self, **options: Any) -> None:
        self.stdout.write(f"The indexes are made anew. That of tags has {triggers.rebuild()} entries.")
