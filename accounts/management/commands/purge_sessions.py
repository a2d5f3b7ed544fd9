"""`manage.py purge_sessions`: deletes sessions that have ended. Run it once a day."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from accounts.credentials import sessions


class Command(BaseCommand):
    help = (
        "Delete the sessions of the API and of the admin site that have ended by their age. "
        "Example, every night by cron: 0 4 * * * manage.py purge_sessions"
    )

    def handle(self, **options: Any) -> None:
        count = sessions.purge()
        call_command("clearsessions")
        self.stdout.write(f"Deleted {count} ended sessions of the API, and the ended sessions of the admin site.")
