"""`manage.py create_admin` and `manage.py purge_sessions`."""

import io
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.sessions.models import Session as AdminSiteSession
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from accounts.credentials import sessions
from accounts.models import Session, User
from tests.factories import PASSWORD, make_admin, make_user
from tests.server import manage

GIVEN = ["--username", "ada", "--email", "ada@example.org"]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment without the variables of the command."""
    for name in ("ADMIN_USERNAME", "ADMIN_EMAIL", "ADMIN_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def create_admin(*arguments: str) -> str:
    output = io.StringIO()
    call_command("create_admin", *arguments, stdout=output, stderr=output)
    return output.getvalue()


def refusal(*arguments: str) -> str:
    with pytest.raises(CommandError) as refused:
        create_admin(*arguments)
    assert "\n" not in str(refused.value)
    assert not User.objects.filter(username="ada").exists()
    return str(refused.value)


def type_in(monkeypatch: pytest.MonkeyPatch, *lines: str, passwords: Iterable[str] = ()) -> None:
    """The lines and the passwords that a person types."""
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    typed = iter(passwords)

    def getpass(prompt: str) -> str:
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("accounts.management.commands.create_admin.getpass", getpass)


@pytest.mark.django_db
class TestCreateAdmin:
    def test_options_and_a_password_in_the_environment_create_an_admin(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("ADMIN_PASSWORD", PASSWORD)
        assert "Created the admin ada." in create_admin(*GIVEN, "--full-name", " Ada L. ", "--no-input")
        ada = User.objects.get()
        assert (ada.username, ada.email, ada.full_name) == ("ada", "ada@example.org", "Ada L.")
        assert (ada.role, ada.is_active) == ("admin", True)
        assert ada.check_password(PASSWORD)

    def test_the_environment_alone_creates_an_admin(self, environment: pytest.MonkeyPatch) -> None:
        for name, value in {"USERNAME": "ada", "EMAIL": "ada@example.org", "PASSWORD": PASSWORD}.items():
            environment.setenv(f"ADMIN_{name}", value)
        create_admin("--no-input")
        assert User.objects.get().get_full_name() == "ada"

    def test_an_option_overrides_the_environment(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("ADMIN_USERNAME", "other")
        environment.setenv("ADMIN_PASSWORD", PASSWORD)
        create_admin(*GIVEN)
        assert User.objects.get().username == "ada"

    def test_missing_values_are_asked_for_until_they_are_valid(
        self, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        passwords = [PASSWORD, "a slip", PASSWORD, PASSWORD]
        type_in(environment, "a b", "ada", "nowhere", " ada@example.org ", passwords=passwords)
        printed = create_admin()
        assert capsys.readouterr().out == "Username: Username: Email: Email: "
        complaints, made = printed.rsplit("\n", 2)[0].split("\n"), printed.splitlines()[-1]
        assert complaints[0].startswith("String should match pattern")
        assert complaints[1:] == ["Must be an e-mail address in ASCII.", "The passwords differ."]
        assert made.startswith("Created the admin ada.")
        ada = User.objects.get()
        assert (ada.email, ada.check_password(PASSWORD)) == ("ada@example.org", True)

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (["--username", "a b"], "Username: String should match pattern"),
            (["--username", ""], "Username: String should match pattern"),
            (["--username", "ada@example.org"], "Username: String should match pattern"),
            (["--email", "nowhere"], "Email: Must be an e-mail address in ASCII."),
            (["--email", "ada@exämple.org"], "Email: Must be an e-mail address in ASCII."),
            (["--email", f"{'a' * 250}@example.org"], "Email: String should have at most 254 characters."),
            (["--full-name", "A" * 151], "Full name: String should have at most 150 characters."),
            (["--full-name", "\x00"], "Full name: Text must not contain a NUL character."),
            (["--full-name", "\udcff"], "Full name: "),
        ],
        ids=lambda value: ascii(value)[:50],
    )
    def test_an_invalid_option_gives_a_message_of_one_line(
        self, environment: pytest.MonkeyPatch, arguments: list[str], reason: str
    ) -> None:
        environment.setenv("ADMIN_PASSWORD", PASSWORD)
        assert refusal(*GIVEN, *arguments).startswith(reason)

    @pytest.mark.parametrize(
        ("password", "reason"),
        [
            (
                "qwerty",
                "This password is too short. It must contain at least 8 characters. This password is too common.",
            ),
            ("ada@example.org", "The password is too similar to the e-mail address."),
            ("p" * 257, "Password: String should have at most 256 characters."),
            ("quiet-river-\udcff", "Password: "),
        ],
        ids=ascii,
    )
    def test_an_invalid_password_gives_a_message_of_one_line(
        self, environment: pytest.MonkeyPatch, password: str, reason: str
    ) -> None:
        environment.setenv("ADMIN_PASSWORD", password)
        assert refusal(*GIVEN).startswith(reason)

    @pytest.mark.parametrize(
        ("taken", "reason"),
        [
            ({"username": "ADA"}, "This username is taken."),
            ({"email": "Ada@Example.org"}, "This e-mail address is taken."),
        ],
        ids=["name", "address"],
    )
    def test_a_taken_name_or_address_gives_a_message_of_one_line(
        self, environment: pytest.MonkeyPatch, taken: dict[str, str], reason: str
    ) -> None:
        make_user(**taken)
        environment.setenv("ADMIN_PASSWORD", PASSWORD)
        assert refusal(*GIVEN) == reason

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            ([], "Give --username."),
            (["--username", "ada"], "Give --email."),
            (GIVEN, "Give the password in the environment, as ADMIN_PASSWORD."),
        ],
        ids=["nothing", "a name", "no password"],
    )
    def test_missing_options_are_named_with_no_input(
        self, environment: pytest.MonkeyPatch, arguments: list[str], reason: str
    ) -> None:
        assert refusal(*arguments, "--no-input") == reason

    @pytest.mark.parametrize("arguments", [[], ["--username", "ada"], GIVEN], ids=["name", "address", "password"])
    def test_the_message_without_a_terminal_says_what_to_do(
        self, environment: pytest.MonkeyPatch, arguments: list[str]
    ) -> None:
        type_in(environment)
        assert refusal(*arguments).startswith("There is no input: ")


def test_an_empty_database_is_migrated_and_gets_an_admin(tmp_path: Path) -> None:
    given = {"ADMIN_USERNAME": "ada", "ADMIN_EMAIL": "ada@example.org", "ADMIN_PASSWORD": PASSWORD}
    made = manage(tmp_path, "create_admin", "--no-input", **given)
    assert (made.returncode, made.stdout.count("\n")) == (0, 1), made.stderr
    assert PASSWORD not in made.stdout + made.stderr


def purged() -> str:
    output = io.StringIO()
    call_command("purge_sessions", stdout=output)
    return output.getvalue()


@pytest.mark.django_db
class TestPurgeSessions:
    def test_only_sessions_that_have_ended_are_deleted(self, settings: Any) -> None:
        now, reader = timezone.now(), make_user()
        with time_machine.travel(now, tick=False) as clock:
            sessions.start(reader)
            used = sessions.start(reader)
            for _ in range(5):
                clock.shift(timedelta(days=6) - timedelta(seconds=1))
                used = sessions.refresh(used.refresh_token)
            fresh = sessions.start(reader)
            assert "Deleted 1 ended session" in purged()
            assert reader.sessions.count() == 2
            clock.move_to(now + settings.SESSION_LIFETIME)
            assert "Deleted 1 ended session" in purged()
            assert reader.sessions.count() == 1
            assert sessions.refresh(fresh.refresh_token)
        assert "Deleted 0 ended sessions" in purged()

    def test_ended_sessions_of_the_admin_site_are_deleted_too(self, client: Client, settings: Any) -> None:
        client.force_login(make_admin())
        purged()
        assert AdminSiteSession.objects.count() == 1
        with time_machine.travel(timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE + 1), tick=False):
            purged()
        assert not AdminSiteSession.objects.exists()
        assert not Session.objects.exists()
