"""`manage.py purge_sessions`: housekeeping, for a daily timer."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from accounts.credentials import sessions


class Command(BaseCommand):
    help = (
        "Delete the sessions that are over by their age: those of the API, and those of the admin site. "
        "Example, each night by cron: 0 4 * * * manage.py purge_sessions"
    )

    def handle(self, **options: Any) -> None:
        count = sessions.purge()
        call_command("clearsessions")
        self.stdout.write(f"Deleted {count} sessions of the API that were over, and what the admin site had of these.")
