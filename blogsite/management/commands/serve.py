"""`manage.py serve`: the whole server."""

from typing import Any

import uvicorn
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import connections

from accounts.models import User
from blogsite.migrating import migrate_under_lock


class Command(BaseCommand):
    help = (
        "Bring the database up to date and serve the blog, until Ctrl-C or SIGTERM. "
        "Example: manage.py serve --host 0.0.0.0 --workers 2"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: %(default)s)")
        parser.add_argument("--workers", type=int, default=1, help="number of processes (default: %(default)s)")
        parser.add_argument("--no-migrate", action="store_true", help="leave the database as it is")
        parser.add_argument("--demo", action="store_true", help="fill an empty blog with sample data first")

    def handle(
        self, *, host: str, port: int, workers: int, no_migrate: bool, demo: bool, verbosity: int, **options: Any
    ) -> None:
        if not no_migrate:
            migrate_under_lock(verbosity=verbosity)
        if demo:
            self._seed_if_empty()
        self.stdout.write(f"API documentation  http://{host}:{port}/api/v1/docs")
        self.stdout.write(f"Admin site         http://{host}:{port}/admin/")
        self.stdout.flush()
        connections.close_all()  # of this thread, which now serves and never asks again
        uvicorn.run(
            "blogsite.asgi:application",
            host=host,
            port=port,
            workers=workers,
            lifespan="on",
            ws="none",
            access_log=False,
            server_header=False,
            # uvicorn believes forwarded headers from 127.0.0.1 unless told otherwise, so any local client could lie.
            proxy_headers=bool(settings.FORWARDED_ALLOW_IPS),
            forwarded_allow_ips=settings.FORWARDED_ALLOW_IPS,
            timeout_graceful_shutdown=10,
        )

    def _seed_if_empty(self) -> None:
        if User.objects.exists():
            self.stdout.write("This blog has users already: no sample data added. `manage.py seed` adds it.")
            return
        self.stdout.write("Sample data, made once. Log in with one of these:")
        call_command("seed", stdout=self.stdout)
