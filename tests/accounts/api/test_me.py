"""`/users/me`."""

from typing import Any

import pytest

from tests.accounts.conftest import Sent
from tests.accounts.password_queue import full_queue
from tests.client import Api, assert_problem
from tests.factories import PASSWORD, make_user


def test_a_user_reads_their_own_account(api: Api) -> None:
    reader = make_user(full_name="Ines Moreau", email="Ines@example.com")
    response = api.acting_as(reader).get("/users/me")
    assert response.status_code == 200
    account = response.json()
    assert account.pop("created_at").endswith("Z")
    assert account == {
        "id": reader.pk,
        "username": reader.username,
        "email": "Ines@example.com",
        "full_name": "Ines Moreau",
        "bio": "",
        "role": "reader",
        "is_active": True,
    }


def test_absent_fields_keep_their_values(api: Api) -> None:
    reader = make_user(full_name="Before", bio="Before")
    readers_api = api.acting_as(reader)
    answer = readers_api.patch("/users/me", {"full_name": "  After "}).json()
    assert (answer["full_name"], answer["bio"]) == ("After", "Before")
    answer = readers_api.patch("/users/me", {"bio": ""}).json()
    assert (answer["full_name"], answer["bio"]) == ("After", "")
    assert readers_api.patch("/users/me", {}).json() == readers_api.get("/users/me").json() == answer


def test_an_absent_body_changes_nothing(api: Api) -> None:
    assert api.acting_as(make_user()).send("PATCH", "/users/me").status_code == 200


def test_a_change_affects_no_other_user(api: Api) -> None:
    reader, other = make_user(), make_user(bio="Mine")
    api.acting_as(reader).patch("/users/me", {"bio": "Not theirs"})
    other.refresh_from_db()
    assert other.bio == "Mine"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"full_name": None}, "#/full_name"),
        ({"full_name": "I" * 151}, "#/full_name"),
        ({"full_name": "\x00"}, "#/full_name"),
        ({"full_name": "\ud800"}, "#/full_name"),
        ({"full_name": 10**30}, "#/full_name"),
        ({"bio": None}, "#/bio"),
        ({"bio": "b" * 2001}, "#/bio"),
        ({"bio": "\x00"}, "#/bio"),
        ({"bio": {}}, "#/bio"),
        ({"email": None}, "#/email"),
        ({"email": "x"}, "#/email"),
        ({"email": "inès@example.com"}, "#/email"),
        ({"email": "new@example.com\x00"}, "#/email"),
        ({"current_password": None}, "#/current_password"),
        ({"current_password": ""}, "#/current_password"),
        ({"current_password": "p" * 257}, "#/current_password"),
        ({"password": "another-river-lantern"}, "#/password"),
        ({"role": "admin"}, "#/role"),
        ({"is_active": True}, "#/is_active"),
        ({"username": "other"}, "#/username"),
        ({"is_staff": True}, "#/is_staff"),
        ({"id": 1}, "#/id"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_an_invalid_field_is_named_and_nothing_is_stored(api: Api, fields: dict[str, Any], pointer: str) -> None:
    reader = make_user(full_name="Before", bio="Before")
    response = api.acting_as(reader).patch("/users/me", {"full_name": "After", "bio": "After", **fields})
    assert_problem(response, 422, "validation_error", pointer)
    reader.refresh_from_db()
    assert (reader.full_name, reader.bio, reader.role) == ("Before", "Before", "reader")


def test_the_longest_values_are_stored_whole(api: Api) -> None:
    longest = {"full_name": "é" * 150, "bio": "é" * 2000}
    answer = api.acting_as(make_user()).patch("/users/me", longest).json()
    assert {name: answer[name] for name in longest} == longest


NEW_EMAIL = "new@example.com"


class TestEmail:
    def test_a_new_address_needs_the_password_and_the_old_one_gets_a_mail(self, api: Api, sent: Sent) -> None:
        reader = make_user(username="ines", email="old@example.com", full_name="Ines Moreau", password=PASSWORD)
        body = {"email": NEW_EMAIL, "full_name": "Ines M.", "current_password": PASSWORD}
        response = api.acting_as(reader).patch("/users/me", body)
        assert response.status_code == 200
        assert (response.json()["email"], response.json()["full_name"]) == (NEW_EMAIL, "Ines M.")
        assert "password" not in response.json()
        reader.refresh_from_db()
        assert reader.email == NEW_EMAIL
        assert reader.check_password(PASSWORD)
        (mail,) = sent()
        assert (mail.to, mail.subject) == (["old@example.com"], "Your e-mail address was changed")
        assert 'your account "ines"' in mail.body
        assert NEW_EMAIL not in mail.body

    @pytest.mark.parametrize("confirmation", [{}, {"current_password": "wrong"}], ids=["absent", "wrong"])
    def test_nothing_changes_without_the_correct_password(
        self, api: Api, sent: Sent, confirmation: dict[str, str]
    ) -> None:
        reader = make_user(email="old@example.com", password=PASSWORD)
        body = {"email": NEW_EMAIL, "full_name": "Ines", **confirmation}
        assert_problem(api.acting_as(reader).patch("/users/me", body), 422, "wrong_password", "#/current_password")
        reader.refresh_from_db()
        assert (reader.email, reader.full_name) == ("old@example.com", "")
        assert sent() == []

    def test_another_letter_case_is_another_address(self, api: Api) -> None:
        readers_api = api.acting_as(make_user(email="ines@example.com", password=PASSWORD))
        change = {"email": "Ines@example.com"}
        assert_problem(readers_api.patch("/users/me", change), 422, "wrong_password", "#/current_password")
        answer = readers_api.patch("/users/me", {**change, "current_password": PASSWORD})
        assert answer.json()["email"] == "Ines@example.com"

    def test_the_current_address_needs_no_password(self, api: Api, sent: Sent) -> None:
        readers_api = api.acting_as(make_user(email="ines@example.com"))
        with full_queue():
            answer = readers_api.patch("/users/me", {"email": "ines@example.com", "full_name": "Ines"})
            assert answer.json()["full_name"] == "Ines"
            assert readers_api.patch("/users/me", {"bio": "x", "current_password": "any"}).status_code == 200
        assert sent() == []

    def test_a_taken_address_is_a_conflict(self, api: Api, sent: Sent) -> None:
        make_user(email="Taken@example.com")
        reader = make_user(email="ines@example.com", password=PASSWORD)
        body = {"email": "taken@example.com", "current_password": PASSWORD}
        assert_problem(api.acting_as(reader).patch("/users/me", body), 409, "email_taken")
        reader.refresh_from_db()
        assert reader.email == "ines@example.com"
        assert sent() == []
