"""The security events that the operations of the API and of the admin site record."""

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts.models import Session, User
from tests.accounts.capture import Log
from tests.accounts.conftest import Sent
from tests.accounts.mail_links import reset_link_in
from tests.client import Api
from tests.factories import PASSWORD, make_admin, make_user

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADDRESS = "192.0.2.1"
WEAK, WRONG, MISTYPED = "qwertyuiop", "wrong-horse-battery", "typed-in-the-wrong-field"
NEW, NEWER, NEWEST = "loud-ocean-candle", "soft-desert-window", "late-mountain-basket"
ADMINS, GUESTS = "tall-harbour-signal", "plain-garden-fiddle"
PASSWORDS = [PASSWORD, WEAK, WRONG, MISTYPED, NEW, NEWER, NEWEST, ADMINS, GUESTS]


class TestEvents:
    """The security events that each operation records."""

    @pytest.fixture
    def api(self, db: None) -> Api:
        return Api(Client(raise_request_exception=False, REMOTE_ADDR=ADDRESS))

    @pytest.fixture
    def ines(self, log: Log) -> User:
        user = make_user(username="ines", email="ines@example.com", password=PASSWORD)
        log.events()
        return user

    def log_in(self, api: Api, username: str = "ines", password: str = PASSWORD) -> Any:
        return api.post("/auth/login", {"username": username, "password": password}).json()

    def test_a_login_is_recorded(self, log: Log, api: Api, ines: User) -> None:
        self.log_in(api)
        session = Session.objects.get()
        login = {"event": "login", "user_id": ines.pk, "session_id": session.pk, "address": ADDRESS}
        assert log.events() == [login]

    @pytest.mark.parametrize("username", ["ines", "INES@example.com"])
    def test_a_failed_login_records_the_user(self, log: Log, api: Api, ines: User, username: str) -> None:
        self.log_in(api, username, WRONG)
        assert log.events() == [{"event": "login_failed", "user_id": ines.pk, "address": ADDRESS}]

    @pytest.mark.parametrize("username", [MISTYPED, f"{MISTYPED}@example.com", '\n{"event": "login"}', "ine\u015d"])
    def test_an_unknown_username_is_not_recorded(self, log: Log, api: Api, ines: User, username: str) -> None:
        self.log_in(api, username)
        assert not any(username in text or MISTYPED in text for text in log.texts)
        assert log.events() == [{"event": "login_failed", "user_id": None, "address": ADDRESS}]

    def test_the_last_free_failure_records_locked_out(self, log: Log, api: Api, ines: User, settings: Any) -> None:
        settings.FREE_FAILURES = 3
        with time_machine.travel(START, tick=False) as clock:
            for _ in range(10):
                self.log_in(api, password=WRONG)
            assert log.names() == ["login_failed"] * 3 + ["locked_out"]
            clock.shift(1)
            self.log_in(api, password=WRONG)
        failed, locked_out = log.events()
        assert failed["event"] == "login_failed"
        assert locked_out == {"event": "locked_out", "action": "login", "address": ADDRESS}

    def test_a_refresh_records_nothing_and_a_reused_token_an_event(self, log: Log, api: Api, ines: User) -> None:
        token = self.log_in(api)["refresh_token"]
        session = Session.objects.get()
        log.events()
        newest = api.post("/auth/refresh", {"refresh_token": token}).json()["refresh_token"]
        api.post("/auth/refresh", {"refresh_token": newest})
        assert log.events() == []
        api.post("/auth/refresh", {"refresh_token": token})
        whose = {"user_id": ines.pk, "session_id": session.pk}
        assert log.events() == [
            {"event": "sessions_ended", **whose, "count": 1},
            {"event": "refresh_token_reused", **whose, "address": ADDRESS},
        ]

    def test_ending_sessions_is_recorded(self, log: Log, api: Api, ines: User) -> None:
        tokens = [self.log_in(api) for _ in range(4)]
        first, second, *_ = Session.objects.order_by("pk")
        bearer = {"Authorization": f"Bearer {tokens[-1]['access_token']}"}
        log.events()
        for _ in range(2):
            api.post("/auth/logout", {"refresh_token": tokens[0]["refresh_token"]})
        api.delete(f"/auth/sessions/{second.pk}", **bearer)
        api.delete("/auth/sessions", **bearer)
        assert log.events() == [
            {"event": "sessions_ended", "user_id": ines.pk, "session_id": first.pk, "count": 1},
            {"event": "sessions_ended", "user_id": ines.pk, "session_id": second.pk, "count": 1},
            {"event": "sessions_ended", "user_id": ines.pk, "session_id": None, "count": 2},
        ]

    def test_a_new_password_is_recorded(self, log: Log, api: Api, ines: User, sent: Sent) -> None:
        self.log_in(api)
        body = {"current_password": PASSWORD, "new_password": NEW}
        users_api = api.acting_as(ines)
        log.events()
        assert users_api.post("/auth/password/change", body).status_code == 204
        changed = {"event": "password_changed", "user_id": ines.pk}
        ended = {"event": "sessions_ended", "user_id": ines.pk, "session_id": None, "count": 1}
        assert log.events() == [changed, ended]
        api.post("/auth/password/reset", {"email": ines.email})
        link = reset_link_in(sent()[-1])
        assert log.events() == []
        assert api.post("/auth/password/reset/confirm", {**link, "new_password": NEWER}).status_code == 204
        assert log.events() == [changed, ended]

    def test_api_tokens_are_recorded(self, log: Log, api: Api, ines: User) -> None:
        users_api = api.acting_as(ines)
        log.events()
        token = users_api.post("/auth/tokens", {"name": "build", "scope": "read"}).json()
        api.get("/users/me", Authorization=f"Bearer {token['token']}")
        users_api.delete(f"/auth/tokens/{token['id']}")
        whose = {"user_id": ines.pk, "api_token_id": token["id"]}
        assert log.events() == [
            {"event": "api_token_created", **whose, "scope": "read"},
            {"event": "api_token_deleted", **whose},
        ]

    def test_changes_by_an_admin_are_recorded(self, log: Log, api: Api) -> None:
        admin = make_admin()
        admins_api = api.acting_as(admin)
        log.events()
        body = {"username": "ines", "email": "ines@example.com", "password": PASSWORD, "role": "author"}
        user_id = admins_api.post("/users", body).json()["id"]
        admins_api.patch(f"/users/{user_id}", {"role": "editor", "bio": "x"})
        self.log_in(api)
        admins_api.patch(f"/users/{user_id}", {"is_active": False})
        admins_api.patch(f"/users/{user_id}", {"is_active": True})
        admins_api.delete(f"/users/{user_id}")
        assert [event for event in log.events() if event["event"] != "login"] == [
            {"event": "user_created", "user_id": user_id, "role": "author"},
            {"event": "role_changed", "user_id": user_id, "old": "author", "new": "editor", "by": admin.pk},
            {"event": "activity_changed", "user_id": user_id, "active": False, "by": admin.pk},
            {"event": "sessions_ended", "user_id": user_id, "session_id": None, "count": 1},
            {"event": "activity_changed", "user_id": user_id, "active": True, "by": admin.pk},
            {"event": "user_deleted", "user_id": user_id},
        ]

    def test_logins_to_the_admin_site_are_recorded(self, log: Log, ines: User) -> None:
        admin = make_admin(username="ada", password=ADMINS)
        log.events()
        site = Client(REMOTE_ADDR=ADDRESS)
        for username, password in ((MISTYPED, ADMINS), ("ada", WRONG), ("ines", PASSWORD), ("ada", ADMINS)):
            site.post("/admin/login/", {"username": username, "password": password})
        failed = {"event": "login_failed", "address": ADDRESS, "site": "admin"}
        login = {"event": "login", "user_id": admin.pk, "address": ADDRESS, "site": "admin"}
        assert log.events() == [failed, failed, failed, login]
