"""Changing and resetting passwords."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.contrib.auth.hashers import make_password
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts.credentials import passwords, sessions
from accounts.models import User
from tests.accounts.conftest import Sent
from tests.accounts.password_queue import full_queue
from tests.client import Api, assert_problem
from tests.factories import PASSWORD, make_user

NEW_PASSWORD = "another-river-lantern"
CHANGE = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}


@pytest.fixture
def reader(db: None) -> User:
    return make_user(username="ines", email="Ines@example.com", full_name="Ines Moreau")


def logs_in(api: Api, user: User, password: str) -> bool:
    return bool(api.post("/auth/login", {"username": user.username, "password": password}).status_code == 200)


def codes(response: Any) -> list[str]:
    return [error["code"] for error in response.json()["errors"]]


@contextmanager
def quicker(monkeypatch: pytest.MonkeyPatch, user: User) -> Iterator[None]:
    """Replaces the user's password during the hashing of a new one."""
    hash_new = passwords.hash_new

    async def hashed_too_late(*args: Any, **options: Any) -> str:
        password_hash = await hash_new(*args, **options)
        await User.objects.filter(pk=user.pk).aupdate(password=make_password(None))
        return password_hash

    with monkeypatch.context() as patched:
        patched.setattr(passwords, "hash_new", hashed_too_late)
        yield


class TestChange:
    @pytest.fixture
    def reader(self, db: None) -> User:
        fields = {"username": "ines", "email": "Ines@example.com", "full_name": "Ines Moreau"}
        return make_user(**fields, password=PASSWORD)

    def test_the_new_password_replaces_the_old_one(self, api: Api, reader: User) -> None:
        response = api.acting_as(reader).post("/auth/password/change", CHANGE)
        assert (response.status_code, response.content) == (204, b"")
        assert logs_in(api, reader, NEW_PASSWORD)
        assert not logs_in(api, reader, PASSWORD)

    def test_all_other_sessions_end(self, api: Api, reader: User) -> None:
        here, there = sessions.start(reader), sessions.start(reader)
        bearer = {"Authorization": f"Bearer {here.access_token}"}
        api.post("/auth/password/change", CHANGE, **bearer)
        assert api.get("/users/me", **bearer).status_code == 200
        assert api.post("/auth/refresh", {"refresh_token": here.refresh_token}).status_code == 200
        response = api.get("/users/me", Authorization=f"Bearer {there.access_token}")
        assert_problem(response, 401, "unauthenticated")
        assert_problem(api.post("/auth/refresh", {"refresh_token": there.refresh_token}), 401, "unauthenticated")

    def test_the_user_gets_a_mail(self, api: Api, reader: User, sent: Sent) -> None:
        api.acting_as(reader).post("/auth/password/change", CHANGE)
        (mail,) = sent()
        assert (mail.to, mail.subject) == (["Ines@example.com"], "Your password was changed")
        assert "Hello Ines Moreau" in mail.body
        assert NEW_PASSWORD not in mail.body

    @pytest.mark.parametrize("wrong", ["wrong", PASSWORD.upper(), NEW_PASSWORD])
    def test_a_wrong_current_password_changes_nothing(self, api: Api, reader: User, sent: Sent, wrong: str) -> None:
        other = sessions.start(reader)
        response = api.acting_as(reader).post("/auth/password/change", {**CHANGE, "current_password": wrong})
        assert_problem(response, 422, "wrong_password", "#/current_password")
        reader.refresh_from_db()
        assert reader.check_password(PASSWORD)
        assert api.get("/users/me", Authorization=f"Bearer {other.access_token}").status_code == 200
        assert sent() == []

    def test_a_user_without_a_password_cannot_confirm_a_change(self, api: Api) -> None:
        response = api.acting_as(make_user()).post("/auth/password/change", CHANGE)
        assert_problem(response, 422, "wrong_password", "#/current_password")

    @pytest.mark.parametrize(
        ("weak", "reasons"),
        [
            ("x7-qPz!", ["password_too_short"]),
            ("password123", ["password_too_common"]),
            ("ines-moreau", ["password_too_similar"]),
            ("qwerty", ["password_too_short", "password_too_common"]),
        ],
    )
    def test_a_weak_new_password_is_refused_with_every_reason(
        self, api: Api, reader: User, weak: str, reasons: list[str]
    ) -> None:
        response = api.acting_as(reader).post("/auth/password/change", {**CHANGE, "new_password": weak})
        assert_problem(response, 422, "validation_error", *["#/new_password"] * len(reasons))
        assert codes(response) == reasons
        reader.refresh_from_db()
        assert reader.check_password(PASSWORD)

    @pytest.mark.parametrize(
        ("body", "pointers"),
        [
            ({}, ["#/current_password", "#/new_password"]),
            ({**CHANGE, "new_password": None}, ["#/new_password"]),
            ({**CHANGE, "new_password": "p" * 257}, ["#/new_password"]),
            ({**CHANGE, "new_password": "p\x00"}, ["#/new_password"]),
            ({**CHANGE, "current_password": "\ud800"}, ["#/current_password"]),
            ({**CHANGE, "user_id": 1}, ["#/user_id"]),
        ],
        ids=lambda value: ascii(value)[:40],
    )
    def test_invalid_fields_are_named(self, api: Api, body: dict[str, Any], pointers: list[str]) -> None:
        response = api.acting_as(make_user()).post("/auth/password/change", body)
        assert_problem(response, 422, "validation_error", *pointers)

    def test_one_of_two_concurrent_changes_is_done(
        self, api: Api, reader: User, sent: Sent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with quicker(monkeypatch, reader):
            response = api.acting_as(reader).post("/auth/password/change", CHANGE)
        assert_problem(response, 422, "wrong_password", "#/current_password")
        reader.refresh_from_db()
        assert not reader.has_usable_password()
        assert sent() == []

    def test_a_full_password_queue_is_503(self, api: Api) -> None:
        readers_api = api.acting_as(make_user())
        with full_queue():
            assert_problem(readers_api.post("/auth/password/change", CHANGE), 503, "overloaded")


def ask(api: Api, email: str = "ines@example.com") -> None:
    response = api.post("/auth/password/reset", {"email": email})
    assert (response.status_code, response.content) == (202, b"")


def link_in(mail: EmailMessage) -> str:
    (link,) = re.findall(r"^http\S+$", str(mail.body), re.MULTILINE)
    return str(link)


def confirmation(mail: EmailMessage) -> dict[str, str]:
    """The request body for the reset link of a mail."""
    fields = {name: value for name, (value,) in parse_qs(urlsplit(link_in(mail)).query).items()}
    assert set(fields) == {"uid", "token"}
    return {**fields, "new_password": NEW_PASSWORD}


def made_up(user: User) -> dict[str, str]:
    """The same as `confirmation`, but created without a mail."""
    uid, token = urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)
    return {"uid": uid, "token": token, "new_password": NEW_PASSWORD}


class TestRequestingAReset:
    def test_a_link_is_mailed(self, api: Api, reader: User, sent: Sent) -> None:
        ask(api)
        (mail,) = sent()
        assert (mail.to, mail.subject) == (["Ines@example.com"], "Set a new password")
        assert "Hello Ines Moreau" in mail.body
        assert 'the account "ines"' in mail.body
        assert link_in(mail).startswith("http://127.0.0.1:8000/password-reset?uid=")

    def test_the_link_follows_the_setting(self, api: Api, reader: User, sent: Sent, settings: Any) -> None:
        settings.PASSWORD_RESET_URL = "https://app.example/#/new-password/{uid}/{token}"
        ask(api)
        *address, uid, token = link_in(sent()[0]).split("/")
        assert "/".join(address) == "https://app.example/#/new-password"
        body = {"uid": uid, "token": token, "new_password": NEW_PASSWORD}
        assert api.post("/auth/password/reset/confirm", body).status_code == 204

    @pytest.mark.parametrize("email", ["Ines@example.com", "INES@EXAMPLE.COM", "  ines@example.com "])
    def test_the_address_is_case_insensitive(self, api: Api, reader: User, sent: Sent, email: str) -> None:
        ask(api, email)
        assert [mail.to for mail in sent()] == [["Ines@example.com"]]

    def test_the_response_does_not_reveal_accounts(
        self, api: Api, sent: Sent, forget_failures: Callable[[], None]
    ) -> None:
        make_user(email="ines@example.com")
        make_user(email="gone@example.com", is_active=False)
        answers = []
        for email in ("ines@example.com", "gone@example.com", "stranger@example.com"):
            forget_failures()
            answers.append(api.post("/auth/password/reset", {"email": email}))
        assert {(answer.status_code, answer.content) for answer in answers} == {(202, b"")}
        assert len({tuple(sorted(answer.items())) for answer in answers}) == 1
        assert [mail.to for mail in sent()] == [["ines@example.com"]]

    @pytest.mark.parametrize("email", ["ines", "", None, 7, "a\x00@example.com", "inès@example.com"])
    def test_an_invalid_address_is_refused(self, api: Api, email: Any) -> None:
        response = api.post("/auth/password/reset", {"email": email})
        assert_problem(response, 422, "validation_error", "#/email")


class TestResetting:
    def test_the_link_sets_a_password_and_ends_all_sessions(self, api: Api, reader: User, sent: Sent) -> None:
        pair = sessions.start(reader)
        ask(api)
        response = api.post("/auth/password/reset/confirm", confirmation(sent()[0]))
        assert (response.status_code, response.content) == (204, b"")
        assert_problem(api.post("/auth/refresh", {"refresh_token": pair.refresh_token}), 401, "unauthenticated")
        assert not reader.sessions.exists()
        assert logs_in(api, reader, NEW_PASSWORD)
        assert [mail.subject for mail in sent()] == ["Set a new password", "Your password was changed"]

    def test_a_user_without_a_password_can_set_one(self, api: Api) -> None:
        reader = make_user()
        assert api.post("/auth/password/reset/confirm", made_up(reader)).status_code == 204
        assert logs_in(api, reader, NEW_PASSWORD)

    def test_a_link_works_once(self, api: Api) -> None:
        body = made_up(make_user())
        assert api.post("/auth/password/reset/confirm", body).status_code == 204
        for password in (NEW_PASSWORD, PASSWORD):
            response = api.post("/auth/password/reset/confirm", {**body, "new_password": password})
            assert_problem(response, 422, "reset_link_invalid", "#/token")

    @pytest.mark.parametrize(("age", "status"), [(timedelta(hours=1), 204), (timedelta(hours=1, seconds=1), 422)])
    def test_a_link_is_valid_for_an_hour(self, api: Api, age: timedelta, status: int) -> None:
        now = timezone.now()
        with time_machine.travel(now, tick=False) as clock:
            body = made_up(make_user())
            clock.move_to(now + age)
            response = api.post("/auth/password/reset/confirm", body)
        assert response.status_code == status
        if status == 422:
            assert_problem(response, 422, "reset_link_invalid", "#/token")

    @pytest.mark.parametrize(
        "changes",
        [{"email": "new@example.com"}, {"is_active": False}, {"password": "!other"}],
        ids=["another address", "inactive", "another password"],
    )
    def test_a_link_is_invalid_after_the_account_has_changed(self, api: Api, changes: dict[str, Any]) -> None:
        reader = make_user()
        body = made_up(reader)
        User.objects.filter(pk=reader.pk).update(**changes)
        response = api.post("/auth/password/reset/confirm", body)
        assert_problem(response, 422, "reset_link_invalid", "#/token")

    @pytest.mark.parametrize(
        "forgery",
        [
            {"token": "x"},
            {"token": ""},
            {"token": "a-b"},
            {"token": "é-é"},
            {"token": "0-" + "0" * 32},
            {"uid": ""},
            {"uid": "x"},
            {"uid": "é"},
            *(
                {"uid": urlsafe_base64_encode(text)}
                for text in (b"0", b"-1", b"nobody", b"\xff", b"9" * 18, b"9" * 70, b"-" + b"9" * 70)
            ),
        ],
        ids=repr,
    )
    def test_a_forged_link_changes_nothing(self, api: Api, reader: User, forgery: dict[str, str]) -> None:
        response = api.post("/auth/password/reset/confirm", {**made_up(reader), **forgery})
        assert_problem(response, 422, "reset_link_invalid", "#/token")
        assert User.objects.get(pk=reader.pk).password == reader.password

    def test_a_link_is_valid_for_its_own_user_only(self, api: Api, reader: User) -> None:
        body = {**made_up(make_user()), "uid": made_up(reader)["uid"]}
        assert_problem(api.post("/auth/password/reset/confirm", body), 422, "reset_link_invalid", "#/token")

    def test_a_weak_password_is_refused_and_the_link_stays_valid(self, api: Api) -> None:
        reader = make_user()
        body = made_up(reader)
        response = api.post("/auth/password/reset/confirm", {**body, "new_password": "qwerty"})
        assert_problem(response, 422, "validation_error", "#/new_password", "#/new_password")
        assert api.post("/auth/password/reset/confirm", body).status_code == 204

    def test_one_of_two_concurrent_uses_of_a_link_succeeds(
        self, api: Api, sent: Sent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reader = make_user()
        with quicker(monkeypatch, reader):
            response = api.post("/auth/password/reset/confirm", made_up(reader))
        assert_problem(response, 422, "reset_link_invalid", "#/token")
        reader.refresh_from_db()
        assert not reader.has_usable_password()
        assert sent() == []

    @pytest.mark.parametrize(
        ("body", "pointers"),
        [
            ({}, ["#/uid", "#/token", "#/new_password"]),
            ({"uid": "u" * 101, "token": "t" * 201, "new_password": "p" * 257}, ["#/uid", "#/token", "#/new_password"]),
            ({"uid": "\x00", "token": "\ud800", "new_password": ""}, ["#/uid", "#/token", "#/new_password"]),
            ({"uid": None, "token": 7, "new_password": None}, ["#/uid", "#/token", "#/new_password"]),
        ],
        ids=["absent", "too long", "no text", "other types"],
    )
    def test_invalid_fields_are_named(self, api: Api, body: dict[str, Any], pointers: list[str]) -> None:
        assert_problem(api.post("/auth/password/reset/confirm", body), 422, "validation_error", *pointers)
