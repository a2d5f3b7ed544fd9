"""`/users/me`."""

from typing import Any

import pytest

from tests.client import Api, assert_problem
from tests.factories import make_user


def test_everybody_reads_their_own_account(api: Api) -> None:
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


def test_a_change_keeps_what_is_absent(api: Api) -> None:
    reader = make_user(full_name="Before", bio="Before")
    readers_api = api.acting_as(reader)
    answer = readers_api.patch("/users/me", {"full_name": "  After "}).json()
    assert (answer["full_name"], answer["bio"]) == ("After", "Before")
    answer = readers_api.patch("/users/me", {"bio": ""}).json()
    assert (answer["full_name"], answer["bio"]) == ("After", "")
    assert readers_api.patch("/users/me", {}).json() == readers_api.get("/users/me").json() == answer


def test_an_absent_body_changes_nothing(api: Api) -> None:
    assert api.acting_as(make_user()).send("PATCH", "/users/me").status_code == 200


def test_a_change_touches_nobody_else(api: Api) -> None:
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
        ({"role": "admin"}, "#/role"),
        ({"is_active": True}, "#/is_active"),
        ({"username": "other"}, "#/username"),
        ({"is_staff": True}, "#/is_staff"),
        ({"id": 1}, "#/id"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_bad_field_is_named_and_nothing_is_stored(api: Api, fields: dict[str, Any], pointer: str) -> None:
    reader = make_user(full_name="Before", bio="Before")
    response = api.acting_as(reader).patch("/users/me", {"full_name": "After", "bio": "After", **fields})
    assert_problem(response, 422, "validation_error", pointer)
    reader.refresh_from_db()
    assert (reader.full_name, reader.bio, reader.role) == ("Before", "Before", "reader")


def test_the_longest_values_are_stored_whole(api: Api) -> None:
    longest = {"full_name": "é" * 150, "bio": "é" * 2000}
    answer = api.acting_as(make_user()).patch("/users/me", longest).json()
    assert {name: answer[name] for name in longest} == longest
