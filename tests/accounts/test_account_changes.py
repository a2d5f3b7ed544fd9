"""Every path that creates a user or sets a password records the same events and hashes outside transactions."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.management import call_command
from django.db import connection
from django.test import Client

from accounts.credentials import passwords, sessions
from accounts.models import User
from posts.sample import seeding
from posts.sample.data import USERS
from tests.accounts.capture import Log
from tests.client import Api
from tests.factories import PASSWORD, make_admin, make_user

pytestmark = pytest.mark.django_db(transaction=True)

NEW_PASSWORD = "another-river-lantern"
NEW_USER = {"username": "ines", "email": "ines@example.com", "password": PASSWORD}


class RecordingHasher(Argon2PasswordHasher):
    """A cheap hasher that records for each hash whether a transaction was open in the calling thread."""

    time_cost, memory_cost, parallelism = 1, 8, 1
    in_transaction: list[bool] = []

    def encode(self, password: str, salt: str) -> str:
        self.in_transaction.append(connection.in_atomic_block)
        return super().encode(password, salt)


@pytest.fixture
def hashed(settings: Any) -> list[bool]:
    """For each password that was hashed since the last `clear`, whether a transaction was open."""
    settings.PASSWORD_HASHERS = [f"{__name__}.RecordingHasher"]
    passwords._dummy_hash.cache_clear()
    RecordingHasher.in_transaction.clear()
    return RecordingHasher.in_transaction


@pytest.fixture
def admin_site(client: Client, hashed: list[bool]) -> Client:
    client.force_login(make_admin())
    return client


def api_registration(site: Client, patch: pytest.MonkeyPatch) -> None:
    assert Api(site).post("/auth/register", NEW_USER).status_code == 201


def api_creation(site: Client, patch: pytest.MonkeyPatch) -> None:
    admin = User.objects.admins().get()
    assert Api(site, admin).post("/users", NEW_USER).status_code == 201


def idempotent_api_creation(site: Client, patch: pytest.MonkeyPatch) -> None:
    admin = User.objects.admins().get()
    for _ in range(2):
        assert Api(site, admin).post("/users", NEW_USER, **{"Idempotency-Key": "key"}).status_code == 201


def admin_add_form(site: Client, patch: pytest.MonkeyPatch) -> None:
    fields = {"username": "ines", "email": "ines@example.com", "full_name": "", "role": "reader"}
    response = site.post("/admin/accounts/user/add/", {**fields, "password1": PASSWORD, "password2": PASSWORD})
    assert response.status_code == 302


def create_admin(site: Client, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("ADMIN_PASSWORD", PASSWORD)
    options = {"username": "ines", "email": "ines@example.com", "no_input": True, "stdout": StringIO()}
    call_command("create_admin", verbosity=0, **options)


def createsuperuser(site: Client, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--noinput", "--username=ines", "--email=ines@example.com", verbosity=0)


@pytest.mark.parametrize(
    "create",
    [api_registration, api_creation, idempotent_api_creation, admin_add_form, create_admin, createsuperuser],
    ids=lambda function: function.__name__,
)
def test_every_path_that_creates_a_user_records_it_once_and_hashes_outside_transactions(
    admin_site: Client, log: Log, hashed: list[bool], monkeypatch: pytest.MonkeyPatch, create: Callable[..., None]
) -> None:
    hashed.clear()
    log.events()
    create(admin_site, monkeypatch)
    user = User.objects.get(username="ines")
    assert [event for event in log.events() if event["event"] != "login"] == [
        {"event": "user_created", "user_id": user.pk, "role": user.role}
    ]
    assert hashed
    assert not any(hashed)
    assert user.check_password(PASSWORD)


def api_password_change(user: User, site: Client, patch: pytest.MonkeyPatch) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert Api(Client(), user).post("/auth/password/change", body).status_code == 204


def admin_password_form(user: User, site: Client, patch: pytest.MonkeyPatch) -> None:
    fields = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
    assert site.post(f"/admin/accounts/user/{user.pk}/password/", fields).status_code == 302


def changepassword(user: User, site: Client, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("getpass.getpass", lambda prompt="": NEW_PASSWORD)
    call_command("changepassword", user.username, stdout=StringIO())


@pytest.mark.parametrize(
    "change",
    [api_password_change, admin_password_form, changepassword],
    ids=lambda function: function.__name__,
)
def test_every_path_that_sets_a_password_records_it_ends_sessions_and_hashes_outside_transactions(
    admin_site: Client, log: Log, hashed: list[bool], monkeypatch: pytest.MonkeyPatch, change: Callable[..., None]
) -> None:
    user = make_user(username="ines", password=PASSWORD)
    before = [sessions.start(user) for _ in range(2)]
    hashed.clear()
    log.events()
    change(user, admin_site, monkeypatch)
    assert [event for event in log.events() if event["event"] != "login"] == [
        {"event": "password_changed", "user_id": user.pk},
        {"event": "sessions_ended", "user_id": user.pk, "session_id": None, "count": len(before)},
    ]
    assert hashed
    assert not any(hashed)
    user.refresh_from_db()
    assert user.check_password(NEW_PASSWORD)


def test_disabling_a_password_in_the_admin_site_records_it_and_ends_sessions(admin_site: Client, log: Log) -> None:
    user = make_user(password=PASSWORD)
    sessions.start(user)
    log.events()
    path = f"/admin/accounts/user/{user.pk}/password/"
    assert admin_site.post(path, {"usable_password": "false", "unset-password": "x"}).status_code == 302
    assert log.names() == ["password_changed", "sessions_ended"]
    user.refresh_from_db()
    assert not user.has_usable_password()
    assert not user.sessions.exists()


def test_seeding_records_new_users_and_new_passwords_and_hashes_outside_transactions(
    log: Log, hashed: list[bool]
) -> None:
    seeding.seed_users()
    assert log.names() == ["user_created"] * len(USERS)
    sessions.start(User.objects.get(username="author"))
    log.events()
    seeding.seed_users(password=NEW_PASSWORD)
    assert sorted(log.names()) == ["password_changed"] * len(USERS) + ["sessions_ended"]
    assert len(hashed) == 2 * len(USERS)
    assert not any(hashed)
