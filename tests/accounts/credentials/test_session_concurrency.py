"""Sessions under concurrent requests: in threads, and in a server with two workers."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.test import Client

from accounts import services
from accounts.credentials import passwords, sessions
from accounts.models import Session
from tests.client import Api, assert_problem
from tests.factories import PASSWORD, make_user
from tests.server import Server, serving

PASSWORDS = [PASSWORD, "loud-ocean-candle"]
T = TypeVar("T")


def at_once(*calls: Callable[[], T]) -> list[T]:
    """Run the calls at the same time in threads, each with its own connection, and return their results."""
    together = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        together.wait()
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def post(path: str, body: Any, token: str | None = None, method: str = "POST") -> Any:
    """Send a request with its own client, so that threads can call it."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return Api(Client(raise_request_exception=False)).send(method, path, body, **headers)


def refresh(token: str) -> Any:
    return post("/auth/refresh", {"refresh_token": token})


def is_accepted(token: str) -> bool:
    status = post("/users/me", None, token, method="GET").status_code
    assert status in (200, 401)
    return bool(status == 200)


@pytest.mark.django_db(transaction=True)
class TestConcurrency:
    """Requests that run in parallel threads."""

    def test_a_login_is_refused_if_the_password_changes_during_the_check(self) -> None:
        user = make_user(username="ines", password=PASSWORD)
        go_on = threading.Event()
        for _ in range(passwords.THREADS):
            passwords._executor.submit(go_on.wait)

        def overtake() -> None:
            while not passwords._executor._work_queue.qsize():
                time.sleep(0.01)
            try:
                assert services.replace_password(
                    user=user, old_hash=user.password, new_hash=make_password(PASSWORDS[1])
                )
            finally:
                go_on.set()

        answer, _ = at_once(lambda: post("/auth/login", {"username": "ines", "password": PASSWORD}), overtake)
        assert_problem(answer, 401, "wrong_credentials")
        assert not Session.objects.exists()

    def test_eight_concurrent_refreshes_rotate_once(self) -> None:
        token = sessions.start(make_user()).refresh_token
        seen = {token}
        for _ in range(10):
            answers = [answer.json() for answer in at_once(*[lambda token=token: refresh(token)] * 8)]
            successors = {answer["refresh_token"] for answer in answers}
            assert len(successors) == 1
            assert not successors & seen
            assert len({answer["access_token"] for answer in answers}) == 8
            assert all(is_accepted(answer["access_token"]) for answer in answers)
            session = Session.objects.get()
            assert session.previous_hash == sha256(token.encode()).hexdigest()
            (token,) = successors
            assert session.token_hash == sha256(token.encode()).hexdigest()
            seen |= successors

    def test_eight_concurrent_uses_of_an_old_token_end_the_session_once(self, caplog: pytest.LogCaptureFixture) -> None:
        pair = sessions.start(make_user())
        newest = refresh(refresh(pair.refresh_token).json()["refresh_token"]).json()
        with caplog.at_level("INFO", "blogsite.security"):
            answers = at_once(*[lambda: refresh(pair.refresh_token)] * 8)
        for answer in answers:
            assert_problem(answer, 401, "unauthenticated")
        assert not is_accepted(newest["access_token"])
        assert refresh(newest["refresh_token"]).status_code == 401
        assert sum("sessions_ended" in message for message in caplog.messages) == 1

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "/auth/logout", {"refresh_token": None}),
            ("DELETE", "/auth/sessions", None),
            ("POST", "/auth/password/change", {"current_password": PASSWORD, "new_password": PASSWORDS[1]}),
        ],
    )
    def test_a_session_ends_in_spite_of_concurrent_refreshes(
        self, method: str, path: str, body: dict[str, Any] | None, settings: Any
    ) -> None:
        settings.FREE_FAILURES = 100  # all of the refreshes may fail, and twice
        user = make_user(password=PASSWORD)
        current = sessions.start(user)
        others = [sessions.start(user).refresh_token for _ in range(6)]
        body = {"refresh_token": others[0]} if path.endswith("logout") else body
        ended, *refreshed = at_once(
            lambda: post(path, body, current.access_token, method),
            *[lambda token=token: refresh(token) for token in others],
        )
        assert ended.status_code == 204
        doomed = 1 if path.endswith("logout") else len(others)
        for token, answer in zip(others[:doomed], refreshed, strict=False):
            assert answer.status_code in (200, 401)
            if answer.status_code == 200:
                assert not is_accepted(answer.json()["access_token"])
                token = answer.json()["refresh_token"]
            assert refresh(token).status_code == 401
        for answer in refreshed[doomed:]:
            assert is_accepted(answer.json()["access_token"])


class TestServer:
    """A server with two workers, each with its own cache of callers."""

    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[Server]:
        with serving(tmp_path, "--workers", "2") as running:
            yield running
            running.stop()  # the workers, too

    @pytest.fixture
    def client(self, server: Server) -> Iterator[httpx.Client]:
        """A client that opens a connection for each request, so that both workers get requests."""
        limits = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(base_url=f"{server.url}/api/v1", limits=limits) as client:
            yield client

    def refresh(self, client: httpx.Client, token: str) -> httpx.Response:
        return client.post("/auth/refresh", json={"refresh_token": token})

    def statuses(self, client: httpx.Client, tokens: dict[str, str]) -> set[int]:
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        return {client.get("/users/me", headers=headers).status_code for _ in range(10)}

    def test_two_tabs_stay_logged_in_until_an_old_token_is_used(self, client: httpx.Client) -> None:
        credentials = {"username": "ines", "password": PASSWORD}
        client.post("/auth/register", json={**credentials, "email": "ines@example.com"})
        first, other = (client.post("/auth/login", json=credentials).json() for _ in range(2))
        token = first["refresh_token"]
        for _ in range(5):
            tabs = [answer.json() for answer in at_once(*[lambda token=token: self.refresh(client, token)] * 2)]
            assert tabs[0]["refresh_token"] == tabs[1]["refresh_token"] != token
            token = tabs[0]["refresh_token"]
            assert [self.statuses(client, tab) for tab in tabs] == [{200}, {200}]
        stolen = self.refresh(client, first["refresh_token"])
        assert (stolen.status_code, stolen.json()["code"]) == (401, "unauthenticated")
        assert [self.statuses(client, tab) for tab in [first, *tabs]] == [{401}] * 3
        assert self.refresh(client, token).status_code == 401
        assert self.statuses(client, other) == {200}
        assert self.refresh(client, other["refresh_token"]).status_code == 200
