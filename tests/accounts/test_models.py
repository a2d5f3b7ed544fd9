"""The models: uniqueness, roles, scopes, and what Django's own commands call."""

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import IntegrityError, transaction

from accounts.credentials import api_tokens, sessions
from accounts.models import ApiToken, Role, Session, User
from tests.factories import PASSWORD, make_admin, make_author, make_post, make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "twin",
    [
        {"username": "Ines.Moreau", "email": "other@example.com"},
        {"username": "INES.MOREAU", "email": "other@example.com"},
        {"username": "other", "email": "ines@example.com"},
        {"username": "other", "email": "INES@Example.COM"},
    ],
)
def test_names_and_addresses_are_unique_whatever_their_letter_case(twin: dict[str, str]) -> None:
    make_user(username="Ines.Moreau", email="ines@example.com")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.bulk_create([User(password="!", **twin)])
    stranger = make_user(username="stranger", email="stranger@example.com")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=stranger.pk).update(**twin)
    assert User.objects.count() == 2


def test_the_database_refuses_an_unknown_role() -> None:
    reader = make_user()
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=reader.pk).update(role="owner")


@pytest.mark.parametrize(
    ("role", "is_author", "is_editor", "is_admin"),
    [
        (Role.READER, False, False, False),
        (Role.AUTHOR, True, False, False),
        (Role.EDITOR, True, True, False),
        (Role.ADMIN, True, True, True),
    ],
)
def test_each_role_includes_the_ones_below_it(role: Role, is_author: bool, is_editor: bool, is_admin: bool) -> None:
    user = User(role=role)
    assert (user.is_author, user.is_editor, user.is_admin) == (is_author, is_editor, is_admin)
    assert (user.is_staff, user.is_superuser) == (is_author, is_admin)


@pytest.mark.parametrize(
    ("role", "perm", "allowed"),
    [
        (Role.READER, "posts.add_post", False),
        (Role.AUTHOR, "posts.add_post", True),
        (Role.EDITOR, "posts.add_post", True),
        (Role.ADMIN, "posts.add_post", True),
        (Role.AUTHOR, "accounts.view_user", False),
        (Role.EDITOR, "accounts.change_user", False),
        (Role.ADMIN, "accounts.change_user", True),
    ],
)
def test_permissions_follow_from_the_role(role: Role, perm: str, allowed: bool) -> None:
    user = make_user(role=role)
    assert user.has_perm(perm) is allowed
    assert user.has_module_perms(perm.partition(".")[0]) is allowed


@pytest.mark.parametrize(
    ("role", "own", "others"),
    [(Role.READER, False, False), (Role.AUTHOR, True, False), (Role.EDITOR, True, True), (Role.ADMIN, True, True)],
)
def test_authors_may_change_their_own_posts_and_editors_all(role: Role, own: bool, others: bool) -> None:
    user = make_author()
    own_post, others_post = make_post(author=user), make_post()
    user.role = role
    assert user.has_perm("posts.change_post", own_post) is own
    assert user.has_perm("posts.change_post", others_post) is others


@pytest.mark.parametrize("role", Role.values)
def test_an_inactive_user_has_no_permissions(role: str) -> None:
    user = User(role=role, is_active=False)
    assert not user.has_perm("posts.add_post")
    assert not user.has_module_perms("posts")


@pytest.mark.parametrize("login", ["Ines", "ines", "INES", "ines@example.com", "INES@EXAMPLE.COM"])
def test_a_login_is_a_name_or_an_address_in_any_letter_case(login: str) -> None:
    ines = make_user(username="Ines", email="Ines@Example.com")
    make_user()
    assert User.objects.with_login(login).get() == ines
    assert User.objects.get_by_natural_key(login) == ines


@pytest.mark.parametrize("login", [None, "", "ine", "example.com", "@"])
def test_a_part_of_a_login_finds_no_user(login: str | None) -> None:
    make_user(username="ines", email="ines@example.com")
    with pytest.raises(User.DoesNotExist):
        User.objects.get_by_natural_key(login)


def test_an_account_is_loaded_without_the_password() -> None:
    make_user()
    assert User.objects.with_account().get().get_deferred_fields() == {"password", "last_login"}


@pytest.mark.parametrize(
    ("conditions", "names"),
    [
        ({}, {"ines", "tomas", "gone"}),
        ({"role": "author"}, {"ines", "gone"}),
        ({"is_active": True}, {"ines", "tomas"}),
        ({"is_active": False}, {"gone"}),
        ({"role": "author", "is_active": True}, {"ines"}),
        ({"search": "INE"}, {"ines"}),
        ({"search": "rivera"}, {"tomas"}),
        ({"search": "@example.org"}, {"gone"}),
        ({"search": "%"}, set()),
        ({"search": "_"}, set()),
    ],
)
def test_matching_narrows_by_every_condition_that_is_given(conditions: dict[str, Any], names: set[str]) -> None:
    make_author(username="ines", email="a@example.com", full_name="I. Moreau")
    make_user(username="tomas", email="b@example.com", full_name="T. Rivera")
    make_author(username="gone", email="c@example.org", is_active=False)
    assert {user.username for user in User.objects.matching(**conditions)} == names


def test_active_and_admins_narrow_the_users() -> None:
    admin, former = make_admin(), make_admin(is_active=False)
    reader = make_user()
    assert set(User.objects.active()) == {admin, reader}
    assert set(User.objects.admins()) == {admin, former}


def test_the_full_name_falls_back_to_the_username() -> None:
    assert User(username="ines").get_full_name() == "ines"
    named = User(username="ines", full_name="Ines Moreau")
    assert (named.get_full_name(), named.get_short_name(), str(named)) == ("Ines Moreau", "Ines Moreau", "ines")


def test_createsuperuser_creates_an_admin_with_that_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--noinput", "--username=ada", "--email=ada@example.com", verbosity=0)
    ada = User.objects.get()
    assert (ada.username, ada.email, ada.role, ada.is_active) == ("ada", "ada@example.com", Role.ADMIN, True)
    assert ada.check_password(PASSWORD)


@pytest.mark.parametrize("password", [PASSWORD, None], ids=["another", "none any more"])
def test_saving_a_new_password_ends_every_session(password: str | None) -> None:
    reader, other = make_user(), make_user()
    for user in (reader, reader, other):
        sessions.start(user)
    reader.set_password(password) if password else reader.set_unusable_password()
    assert reader.sessions.count() == 2
    reader.save()
    assert not reader.sessions.exists()
    assert other.sessions.exists()


def test_saving_other_changes_ends_no_session() -> None:
    reader = make_user()
    sessions.start(reader)
    reader.refresh_from_db()
    reader.full_name = "Ines"
    reader.save()
    reader.save(update_fields=["full_name"])
    assert reader.sessions.exists()


def test_the_text_of_a_session_has_its_start_and_its_client() -> None:
    reader = make_user()
    with time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False):
        sessions.start(reader, user_agent="Curious/1.0")
        sessions.start(reader)
    assert [str(session) for session in reader.sessions.order_by("pk")] == [
        "since 2026-01-31 12:00, Curious/1.0",
        "since 2026-01-31 12:00, unknown client",
    ]


def test_sessions_and_tokens_are_loaded_without_secrets() -> None:
    reader = make_user()
    sessions.start(reader)
    api_tokens.create_api_token(user=reader, name="Build", scope="read")
    assert {"family", "token_hash", "previous_hash"} <= Session.objects.with_session().get().get_deferred_fields()
    assert ApiToken.objects.with_token().get().get_deferred_fields() == {"token_hash"}
