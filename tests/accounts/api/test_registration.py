"""`POST /auth/register`."""

from typing import Any

import pytest

from accounts.models import User
from tests.client import Api, assert_problem
from tests.factories import PASSWORD, make_user

REGISTRATION = {"username": "Ines.Moreau", "email": "ines@example.com", "password": PASSWORD}


def test_a_new_account_has_the_role_reader_and_shows_no_password(api: Api) -> None:
    response = api.post("/auth/register", {**REGISTRATION, "full_name": " Ines Moreau "})
    assert response.status_code == 201
    account = response.json()
    user = User.objects.get()
    assert account.pop("created_at").endswith("Z")
    assert account == {
        "id": user.pk,
        "username": "Ines.Moreau",
        "email": "ines@example.com",
        "full_name": "Ines Moreau",
        "bio": "",
        "role": "reader",
        "is_active": True,
    }
    assert user.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


def test_the_new_account_can_log_in(api: Api) -> None:
    api.post("/auth/register", REGISTRATION)
    assert api.post("/auth/login", {"username": "ines.moreau", "password": PASSWORD}).status_code == 200


@pytest.mark.parametrize(
    ("taken", "code"),
    [
        ({"username": "ines.moreau"}, "username_taken"),
        ({"username": "INES.MOREAU"}, "username_taken"),
        ({"email": "ines@example.com"}, "email_taken"),
        ({"email": "INES@EXAMPLE.COM"}, "email_taken"),
    ],
)
def test_a_taken_name_or_address_is_a_conflict(api: Api, taken: dict[str, str], code: str) -> None:
    make_user(**taken)
    assert_problem(api.post("/auth/register", REGISTRATION), 409, code)
    assert User.objects.count() == 1


def test_registration_may_be_closed(api: Api, settings: Any) -> None:
    settings.BLOG_REGISTRATION_OPEN = False
    assert_problem(api.post("/auth/register", REGISTRATION), 403, "registration_closed")
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"username": "ab"}, "#/username"),
        ({"username": "a" * 31}, "#/username"),
        ({"username": "with space"}, "#/username"),
        ({"username": "ines@example.com"}, "#/username"),
        ({"username": "ïnès"}, "#/username"),
        ({"username": "ines\n"}, "#/username"),
        ({"username": "ines\x00"}, "#/username"),
        ({"username": "\ud800\ud800\ud800"}, "#/username"),
        ({"username": None}, "#/username"),
        ({"username": 10**30}, "#/username"),
        ({"email": "not an address"}, "#/email"),
        ({"email": ""}, "#/email"),
        ({"email": "inès@example.com"}, "#/email"),
        ({"email": "ines@exämple.com"}, "#/email"),
        ({"email": f"{'a' * 250}@example.com"}, "#/email"),
        ({"email": "ines@example.com\x00"}, "#/email"),
        ({"email": "\ud800@example.com"}, "#/email"),
        ({"email": None}, "#/email"),
        ({"email": ["ines@example.com"]}, "#/email"),
        ({"password": ""}, "#/password"),
        ({"password": "x7-qPz!"}, "#/password"),
        ({"password": "password123"}, "#/password"),
        ({"password": "ines.moreau"}, "#/password"),
        ({"password": "quiet-river" * 30}, "#/password"),
        ({"password": "quiet-river\x00"}, "#/password"),
        ({"password": "quiet-river\ud800"}, "#/password"),
        ({"password": None}, "#/password"),
        ({"password": 10**30}, "#/password"),
        ({"full_name": "I" * 151}, "#/full_name"),
        ({"full_name": "\x00"}, "#/full_name"),
        ({"full_name": "\udfff"}, "#/full_name"),
        ({"full_name": None}, "#/full_name"),
        ({"role": "admin"}, "#/role"),
        ({"is_active": True}, "#/is_active"),
        ({"is_staff": True}, "#/is_staff"),
        ({"is_superuser": True}, "#/is_superuser"),
        ({"bio": "x"}, "#/bio"),
        ({"id": 1}, "#/id"),
        ({"created_at": "2020-01-01T00:00:00Z"}, "#/created_at"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_an_invalid_field_is_named_and_nothing_is_stored(api: Api, fields: dict[str, Any], pointer: str) -> None:
    assert_problem(api.post("/auth/register", {**REGISTRATION, **fields}), 422, "validation_error", pointer)
    assert not User.objects.exists()


def test_every_invalid_field_is_named(api: Api) -> None:
    response = api.post("/auth/register", {"email": "x", "role": "admin"})
    assert_problem(response, 422, "validation_error", "#/username", "#/email", "#/password", "#/role")


@pytest.mark.parametrize("body", [[], "text", 1, None], ids=repr)
def test_a_body_that_is_not_an_object_is_refused(api: Api, body: Any) -> None:
    response = api.post("/auth/register", body if body is not None else b"null")
    assert_problem(response, 422, "validation_error", "#")


def test_white_space_around_an_address_is_removed(api: Api) -> None:
    response = api.post("/auth/register", {**REGISTRATION, "email": "  ines@example.com \n"})
    assert response.json()["email"] == "ines@example.com"
