"""`manage.py serve` migrates the database and runs the server."""

import socket
from argparse import ArgumentTypeError
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from accounts.models import User
from blogsite.db.migration_lock import migrate_under_lock, migration_lock, require_migrations
from posts.content import rebuilding


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise ArgumentTypeError(f"{text!r} is not a port number from 1 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a number of processes (1 or more)")
    return int(text)


def _require_free(host: str, port: int) -> None:
    """Raise `CommandError` if the server cannot listen on this address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            reason = error.strerror or str(error)
            raise CommandError(f"Cannot listen on {host}, port {port} ({reason}): try another --port.") from None


class Command(BaseCommand):
    help = (
        "Migrate the database and run the server until Ctrl-C or SIGTERM. "
        "Example: manage.py serve --host 0.0.0.0 --workers 2"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=_port, default=8000, help="port to listen on (default: %(default)s)")
        parser.add_argument("--workers", type=_count, default=1, help="number of processes (default: %(default)s)")
        parser.add_argument("--no-migrate", action="store_true", help="do not migrate the database")
        parser.add_argument("--demo", action="store_true", help="first add sample data, if there are no users")

    def handle(
        self, *, host: str, port: int, workers: int, no_migrate: bool, demo: bool, verbosity: int, **options: Any
    ) -> None:
        _require_free(host, port)
        if no_migrate:
            require_migrations()
        else:
            migrate_under_lock(verbosity=verbosity)
            self._rebuild_content_if_outdated(verbosity)
        if demo:
            self._seed_if_empty()
        self.stdout.write(f"API documentation  http://{host}:{port}/api/v1/docs")
        self.stdout.write(f"Admin site         http://{host}:{port}/admin/")
        self.stdout.flush()
        connections.close_all()  # the server uses connections of its own threads
        uvicorn.run(
            "blogsite.asgi:application",
            host=host,
            port=port,
            workers=workers,
            lifespan="on",
            ws="none",
            access_log=False,
            server_header=False,
            # By default, uvicorn trusts forwarded headers from 127.0.0.1, so any local client could forge them.
            proxy_headers=bool(settings.FORWARDED_ALLOW_IPS),
            forwarded_allow_ips=settings.FORWARDED_ALLOW_IPS,
            timeout_graceful_shutdown=10,
        )

    def _rebuild_content_if_outdated(self, verbosity: int) -> None:
        with migration_lock():  # servers that start together wait, and then find the work done
            if rebuilding.is_outdated():
                call_command("rebuild_content", stdout=self.stdout, verbosity=verbosity)

    def _seed_if_empty(self) -> None:
        if User.objects.exists():
            self.stdout.write("The database already has users: no sample data added.")
            self.stdout.write("`manage.py seed` adds it; with --password P it also sets the sample users' passwords.")
            return
        self.stdout.write("Adding sample data. Log in as one of the users below.")
        call_command("seed", stdout=self.stdout, serving=True)
