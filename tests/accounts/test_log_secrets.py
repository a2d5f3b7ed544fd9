"""No log record contains a password or a token, or anything from which one can be computed."""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
import time_machine
from django.contrib.auth.tokens import default_token_generator
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Model
from django.test import Client

from accounts.models import ApiToken, Session, User
from tests.accounts.capture import Log
from tests.accounts.conftest import Sent
from tests.accounts.mail_links import reset_link_in
from tests.client import Api
from tests.factories import PASSWORD, make_admin
from tests.server import free_port, serving

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADDRESS = "192.0.2.1"
WEAK, WRONG, MISTYPED = "qwertyuiop", "wrong-horse-battery", "typed-in-the-wrong-field"
NEW, NEWER, NEWEST = "loud-ocean-candle", "soft-desert-window", "late-mountain-basket"
ADMINS, GUESTS = "tall-harbour-signal", "plain-garden-fiddle"
PASSWORDS = [PASSWORD, WEAK, WRONG, MISTYPED, NEW, NEWER, NEWEST, ADMINS, GUESTS]


class Secrets:
    """Everything that must not be in the log: secrets, and the parts from which one could be computed."""

    def __init__(self) -> None:
        self.texts = set(PASSWORDS)

    def keep(self, secret: str) -> str:
        """Remember a token, its parts and its hash."""
        parts = [part for part in re.split(r"[.]|blog_", secret) if len(part) >= 16]
        self.texts |= {secret, *parts, sha256(secret.encode()).hexdigest()}
        return secret

    def keep_pair(self, response: Any) -> tuple[str, str]:
        assert response.status_code == 200
        tokens = response.json()
        return self.keep(tokens["access_token"]), self.keep(tokens["refresh_token"])

    def keep_what_is_stored(self) -> None:
        for columns in (
            User.objects.values_list("password"),
            Session.objects.values_list("family", "token_hash", "previous_hash"),
            ApiToken.objects.values_list("token_hash"),
        ):
            for row in columns:
                self.texts |= {text for text in row if text}
        for encoded in User.objects.values_list("password", flat=True):
            self.texts |= {part for part in encoded.split("$") if len(part) >= 16 and "=" not in part}

    def leaked_into(self, texts: list[str]) -> list[tuple[str, str]]:
        return [(secret, text) for text in texts for secret in self.texts if secret in text]


@contextmanager
def without_table(model: type[Model]) -> Iterator[None]:
    """Renames the table of the model, so that every query for it fails."""
    table = model._meta.db_table
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} RENAME TO {table}_away")
        yield
        transaction.set_rollback(True)


def drive(api: Api, secrets: Secrets, sent: Sent, settings: Any, clock: time_machine.Traveller) -> None:
    """Call every operation on accounts, with valid and invalid requests."""

    def log_in(username: str, password: str) -> Any:
        secrets.keep_what_is_stored()
        return api.post("/auth/login", {"username": username, "password": password})

    def bearer(token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    def expect(status: int, response: Any) -> Any:
        assert response.status_code == status, response.content
        secrets.keep_what_is_stored()
        return response

    admin = make_admin(username="ada", password=ADMINS)

    # Registration, and bodies that cannot be read.
    account = {"username": "ines", "email": "ines@example.com", "password": PASSWORD}
    expect(201, api.post("/auth/register", account))
    expect(409, api.post("/auth/register", account))
    expect(422, api.post("/auth/register", {**account, "username": "otto", "password": WEAK}))
    expect(422, api.post("/auth/register", {**account, "username": "otto", "password": PASSWORD * 20}))
    expect(422, api.post("/auth/register", {**account, "nickname": PASSWORD}))
    expect(400, api.post("/auth/login", f'{{"username": "ines", "password": "{PASSWORD}"'.encode()))
    expect(415, api._client.post("/api/v1/auth/login", {"username": "ines", "password": PASSWORD}))
    settings.BLOG_REGISTRATION_OPEN = False
    expect(403, api.post("/auth/register", {**account, "username": "otto", "email": "otto@example.com"}))

    # Logins.
    access, refresh = secrets.keep_pair(log_in("ines", PASSWORD))
    secrets.keep_pair(log_in("INES@example.com", PASSWORD))
    expect(401, log_in("ines", WRONG))
    expect(401, log_in(MISTYPED, PASSWORD))
    expect(401, log_in(f"{MISTYPED}@example.com", PASSWORD))
    expect(200, api.get("/users/me", **bearer(access)))

    # Refreshes: with the newest token, the previous one, a reused one and an unknown one.
    for _ in range(2):
        expect(200, api.post("/auth/refresh", {"refresh_token": refresh}))
    successor_access, successor = secrets.keep_pair(api.post("/auth/refresh", {"refresh_token": refresh}))
    clock.shift(60)
    expect(401, api.post("/auth/refresh", {"refresh_token": refresh}))
    expect(401, api.post("/auth/refresh", {"refresh_token": successor}))
    expect(401, api.get("/users/me", **bearer(successor_access)))
    expect(401, api.post("/auth/refresh", {"refresh_token": secrets.keep("made-up-family-of.made-up-secrets-of-mine")}))

    # Listing and ending sessions.
    _, refresh = secrets.keep_pair(log_in("ines", PASSWORD))
    expect(204, api.post("/auth/logout", {"refresh_token": refresh}))
    access, refresh = secrets.keep_pair(log_in("ines", PASSWORD))
    items = expect(200, api.get("/auth/sessions", **bearer(access))).json()["items"]
    other = next(item["id"] for item in items if not item["is_current"])
    expect(204, api.delete(f"/auth/sessions/{other}", **bearer(access)))
    expect(404, api.delete(f"/auth/sessions/{other}", **bearer(access)))
    expect(204, api.delete("/auth/sessions", **bearer(access)))

    # Passwords: a change, a reset by mail, and mail that does not get out.
    access, refresh = secrets.keep_pair(log_in("ines", PASSWORD))
    for current, new, status in ((WRONG, NEW, 422), (PASSWORD, WEAK, 422), (PASSWORD, NEW, 204)):
        body = {"current_password": current, "new_password": new}
        expect(status, api.post("/auth/password/change", body, **bearer(access)))
    for email in ("ines@example.com", "nobody@example.com"):
        expect(202, api.post("/auth/password/reset", {"email": email}))
    link = reset_link_in(next(mail for mail in sent() if mail.subject == "Set a new password"))
    secrets.keep(link["token"])
    expect(422, api.post("/auth/password/reset/confirm", {**link, "token": "a-b", "new_password": NEWER}))
    expect(422, api.post("/auth/password/reset/confirm", {**link, "new_password": WEAK}))
    expect(204, api.post("/auth/password/reset/confirm", {**link, "new_password": NEWER}))
    expect(422, api.post("/auth/password/reset/confirm", {**link, "new_password": NEWER}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend")
        patch.setattr(settings, "EMAIL_HOST", "127.0.0.1")
        patch.setattr(settings, "EMAIL_PORT", free_port())
        # The clock stands still, so this is the token of the mail, too.
        secrets.keep(default_token_generator.make_token(User.objects.get(username="ines")))
        expect(202, api.post("/auth/password/reset", {"email": "ines@example.com"}))
        sent()

    # One's own account.
    access, _ = secrets.keep_pair(log_in("ines", NEWER))
    for password, status in ((WRONG, 422), (NEWER, 200)):
        body = {"email": "new@example.com", "current_password": password}
        expect(status, api.patch("/users/me", body, **bearer(access)))

    # API tokens: good, too weak, expired, deleted, and none of ours.
    def make_token(scope: str, **more: str) -> tuple[int, str]:
        body = {"name": "build", "scope": scope, **more}
        token = expect(201, api.post("/auth/tokens", body, **bearer(access))).json()
        return token["id"], secrets.keep(token["token"])

    _, reading = make_token("read")
    write_id, writing = make_token("write")
    _, expiring = make_token("read", expires_at=(START + timedelta(hours=1)).isoformat())
    expect(200, api.get("/users/me", **bearer(reading)))
    expect(403, api.patch("/users/me", {"bio": "x"}, **bearer(reading)))
    expect(200, api.patch("/users/me", {"bio": "x"}, **bearer(writing)))
    expect(403, api.get("/auth/tokens", **bearer(writing)))
    expect(204, api.delete(f"/auth/tokens/{write_id}", **bearer(access)))
    expect(401, api.get("/users/me", **bearer(writing)))
    expect(401, api.get("/users/me", **bearer(reading[:-1] + "!")))

    # Tokens that are broken, old, or in the wrong place.
    head, claims, signature = access.split(".")
    for token in (f"{head}.{claims}.{signature[::-1]}", f"{access}x", access.swapcase()):
        expect(401, api.get("/users/me", **bearer(secrets.keep(token))))
    expect(401, api.get("/users/me", Authorization=f"Basic {access}"))
    expect(401, api.get("/users/me", Authorization=access))
    expect(422, api.get("/posts", {"access_token": access}))
    expect(404, api.get("/nothing", **bearer(access)))
    expect(405, api.send("PUT", "/users/me", {"password": PASSWORD}, **bearer(access)))

    # Server errors, with a token or a password in the request.
    failing: list[tuple[type[Model], Callable[[], Any]]] = [
        (Session, lambda: api.get("/users/me", **bearer(access))),
        (Session, lambda: api.post("/auth/refresh", {"refresh_token": refresh})),
        (Session, lambda: api.post("/auth/logout", {"refresh_token": refresh})),
        (Session, lambda: api.post("/auth/login", {"username": "ines", "password": NEWER})),
        (User, lambda: api.post("/auth/login", {"username": MISTYPED, "password": WRONG})),
        (User, lambda: api.post("/auth/register", {**account, "username": "otto", "email": "otto@example.com"})),
        (User, lambda: api.post("/auth/password/reset/confirm", {**link, "new_password": NEWEST})),
        (ApiToken, lambda: api.get("/users/me", **bearer(reading))),
        (ApiToken, lambda: api.post("/auth/tokens", {"name": "build", "scope": "read"}, **bearer(access))),
    ]
    settings.BLOG_REGISTRATION_OPEN = True
    for model, call in failing:
        secrets.keep_what_is_stored()
        with without_table(model):
            assert call().status_code == 500

    # Admins, in the API, in the admin site and with the command.
    admins_access, _ = secrets.keep_pair(log_in("ada", ADMINS))
    guest = {"username": "guest", "email": "guest@example.com", "password": GUESTS}
    guest_id = expect(201, api.post("/users", guest, **bearer(admins_access))).json()["id"]
    secrets.keep_pair(log_in("guest", GUESTS))
    expect(422, api.post("/users", {**guest, "username": "otto", "password": WEAK}, **bearer(admins_access)))
    expect(200, api.patch(f"/users/{guest_id}", {"role": "author"}, **bearer(admins_access)))
    expect(200, api.patch(f"/users/{guest_id}", {"is_active": False}, **bearer(admins_access)))
    expect(401, log_in("guest", GUESTS))
    expect(204, api.delete(f"/users/{guest_id}", **bearer(admins_access)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADMIN_PASSWORD", NEWEST)
        options = {"username": "eva", "email": "eva@example.com", "no_input": True, "stdout": StringIO()}
        call_command("create_admin", verbosity=0, **options)

    site = Client(raise_request_exception=False, REMOTE_ADDR=ADDRESS)
    for username, password in ((MISTYPED, ADMINS), ("ada", WRONG), ("ada", ADMINS)):
        site.post("/admin/login/", {"username": username, "password": password})
    secrets.keep(site.cookies["sessionid"].value)
    ines = User.objects.get(username="ines")
    page = f"/admin/accounts/user/{ines.pk}"
    expect(302, site.post(f"{page}/password/", {"password1": NEWEST, "password2": NEWEST, "usable_password": "true"}))
    expect(200, site.post(f"{page}/password/", {"password1": WEAK, "password2": WEAK, "usable_password": "true"}))
    expect(302, site.post(f"{page}/end-sessions/"))
    fields = {"username": "otto", "email": "otto@example.com", "full_name": "", "role": "reader"}
    expect(302, site.post("/admin/accounts/user/add/", {**fields, "password1": NEW, "password2": NEW}))
    secrets.keep_what_is_stored()
    with without_table(User):
        assert site.get("/admin/").status_code == 500

    # Too many failures, and expiry.
    for _ in range(20):
        log_in(MISTYPED, WRONG)
    expect(429, log_in("ada", ADMINS))
    clock.shift(3600)
    expect(401, api.get("/users/me", **bearer(access)))
    expect(401, api.get("/users/me", **bearer(expiring)))
    assert admin.pk
    call_command("purge_sessions", stdout=StringIO())


def test_the_log_contains_no_password_and_no_token(
    log: Log, sent: Sent, settings: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    settings.FREE_FAILURES = 15
    secrets = Secrets()
    client = Client(raise_request_exception=False, REMOTE_ADDR=ADDRESS)
    with time_machine.travel(START, tick=False) as clock:
        drive(Api(client), secrets, sent, settings, clock)
    secrets.keep_what_is_stored()
    assert len(secrets.texts) > 100
    texts = "\n".join(log.texts)
    assert texts.count("Traceback (most recent call last)") > 10
    assert "A mail could not be sent" in texts
    assert secrets.leaked_into(log.texts) == []
    assert secrets.leaked_into([*capfd.readouterr()]) == []
    happened = log.events()
    assert all(set(map(type, event.values())) <= {str, int, bool, type(None)} for event in happened)
    assert {event["event"] for event in happened} == {
        "activity_changed",
        "api_token_created",
        "api_token_deleted",
        "locked_out",
        "login",
        "login_failed",
        "password_changed",
        "refresh_token_reused",
        "role_changed",
        "sessions_ended",
        "user_created",
        "user_deleted",
    }


def test_the_log_of_a_server_contains_events_and_no_secret(tmp_path: Path) -> None:
    mail_server = f"smtp://127.0.0.1:{free_port()}"  # no server listens on this port
    with serving(tmp_path, EMAIL_URL=mail_server) as server, httpx.Client(base_url=server.url) as client:
        account = {"username": "ines", "email": "ines@example.com", "password": PASSWORD}
        secrets = Secrets()

        def post(path: str, **body: str) -> Any:
            return client.post(f"/api/v1/auth/{path}", json=body)

        def expect(status: int, response: httpx.Response) -> None:
            assert response.status_code == status, response.text

        expect(201, post("register", **account))
        expect(401, post("login", username=MISTYPED, password=WRONG))
        access, refresh = secrets.keep_pair(post("login", username="ines", password=PASSWORD))
        _, successor = secrets.keep_pair(post("refresh", refresh_token=refresh))
        secrets.keep_pair(post("refresh", refresh_token=successor))
        expect(401, post("refresh", refresh_token=refresh))
        access, refresh = secrets.keep_pair(post("login", username="ines", password=PASSWORD))
        bearer = {"Authorization": f"Bearer {access}"}
        expect(202, post("password/reset", email="ines@example.com"))
        link = {"uid": "MQ", "token": secrets.keep("made-up-token-of-a-reset-link")}
        expect(422, post("password/reset/confirm", **link, new_password=NEW))
        expect(404, client.get("/password-reset", params=link))
        expect(422, client.get("/api/v1/posts", params={"access_token": access}))
        with closing(sqlite3.connect(tmp_path / "blog.sqlite3")) as database:
            for columns, table in (("family, token_hash, previous_hash", "session"), ("password, ''", "user")):
                for row in database.execute(f"SELECT {columns} FROM accounts_{table}"):  # noqa: S608
                    secrets.texts |= {text for text in row if text}
            database.execute("ALTER TABLE accounts_session RENAME TO accounts_session_away")
        expect(500, client.get("/api/v1/users/me", headers=bearer))
        expect(500, post("refresh", refresh_token=refresh))
        expect(500, post("login", username="ines", password=PASSWORD))
        server.stop()
        text = server.log.read_text()
    assert secrets.leaked_into([text]) == []
    assert text.count("Traceback (most recent call last)") >= 3
    assert "A mail could not be sent" in text
    events = [json.loads(line.partition("blogsite.security: ")[2]) for line in text.splitlines() if ".security" in line]
    names = [event["event"] for event in events]
    assert names[:3] == ["user_created", "login_failed", "login"]
    assert names[3:] == ["sessions_ended", "refresh_token_reused", "login"]
    assert {event["address"] for event in events if event["event"].startswith("login")} == {"127.0.0.1"}
