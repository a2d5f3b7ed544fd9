"""`manage.py create_admin`: creates an admin, for example the first user of a new site."""

import os
from getpass import getpass
from typing import Any

from asgiref.sync import async_to_sync
from django.core.management.base import BaseCommand, CommandError, CommandParser
from pydantic import TypeAdapter, ValidationError

from accounts import services
from accounts.models import Role
from accounts.schemas import Email, FullName, Password, Username
from blogsite.db.migration_lock import migrate_under_lock
from blogsite.errors import BlogError

TYPES: dict[str, TypeAdapter[str]] = {
    "username": TypeAdapter(Username),
    "email": TypeAdapter(Email),
    "full_name": TypeAdapter(FullName),
    "password": TypeAdapter(Password),
}


class Command(BaseCommand):
    help = (
        "Create an admin. The command asks for what no option gives. For provisioning, it also reads ADMIN_USERNAME, "
        "ADMIN_EMAIL and ADMIN_PASSWORD from the environment. "
        "Example: ADMIN_PASSWORD=… manage.py create_admin --username ada --email ada@example.org"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", default=os.environ.get("ADMIN_USERNAME"), help="3 to 30 of A-Z a-z 0-9 . _ -")
        parser.add_argument("--email", default=os.environ.get("ADMIN_EMAIL"), help="their e-mail address")
        parser.add_argument("--full-name", default="", help="their full name (default: none)")
        parser.add_argument("--no-input", action="store_true", help="fail instead of asking")

    def handle(self, *, no_input: bool, **options: Any) -> None:
        migrate_under_lock(verbosity=options["verbosity"])
        try:
            fields = {name: self._value(name, options[name], no_input) for name in ("username", "email", "full_name")}
            password = os.environ.get("ADMIN_PASSWORD") or self._ask_password(no_input)
            fields["password"] = self._value("password", password, no_input)
            async_to_sync(services.add_user)(role=Role.ADMIN, **fields)
        except (EOFError, KeyboardInterrupt):
            raise CommandError("There is no input: give the options, and ADMIN_PASSWORD in the environment.") from None
        except BlogError as error:
            reasons = [problem.message for problem in error.errors] or [error.detail]
            raise CommandError(" ".join(reasons)) from None
        self.stdout.write(f"Created the admin {fields['username']}. Log in at /admin/, or POST to /api/v1/auth/login.")

    def _value(self, name: str, given: str | None, no_input: bool) -> str:
        """The value of a field, from its option or from the terminal, validated as in the API."""
        if given is None and no_input:
            raise CommandError(f"Give --{name}.")
        label = name.replace("_", " ").capitalize()
        while True:
            try:
                return TYPES[name].validate_python(input(f"{label}: ") if given is None else given)
            except ValidationError as error:
                message = f"{error.errors()[0]['msg']}."
            if given is not None:
                raise CommandError(f"{label}: {message}")
            self.stderr.write(message)

    def _ask_password(self, no_input: bool) -> str:
        if no_input:
            raise CommandError("Give the password in the environment, as ADMIN_PASSWORD.")
        while True:
            password = getpass("Password: ")
            if password == getpass("Password again: "):
                return password
            self.stderr.write("The passwords differ.")
