"""The login throttle in a running server: client addresses, and workers that share Redis."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from blogsite.http.throttling import MEMORY
from tests.accounts.throttled_logins import FREE
from tests.factories import PASSWORD
from tests.redis_server import redis_server
from tests.server import Server, free_port, serving


class TestServer:
    """The address is that of the connection. The clock runs, so a short wait may end before the next request."""

    @contextmanager
    def client_of(self, server: Server) -> Iterator[httpx.Client]:
        """A client, and an account for it."""
        with httpx.Client(base_url=f"{server.url}/api/v1", timeout=60) as client:
            body = {"username": "ines", "email": "ines@example.com", "password": PASSWORD}
            assert client.post("/auth/register", json=body).status_code == 201
            yield client

    def log_in(self, client: httpx.Client, password: str, forwarded_for: str = "") -> httpx.Response:
        forged = {"X-Forwarded-For": forwarded_for, "X-Real-IP": forwarded_for, "Forwarded": f"for={forwarded_for}"}
        body = {"username": "ines", "password": password}
        return client.post("/auth/login", json=body, headers=forged if forwarded_for else {})

    def test_a_forged_forwarded_address_changes_nothing(self, tmp_path: Path) -> None:
        with serving(tmp_path) as server, self.client_of(server) as client:
            answers = [self.log_in(client, "wrong", f"203.0.113.{number}") for number in range(3 * FREE)]
            statuses = [answer.status_code for answer in answers]
            assert statuses[:FREE] == [401] * FREE
            assert 429 in statuses

    def test_behind_a_trusted_proxy_the_forwarded_address_counts(self, tmp_path: Path) -> None:
        with serving(tmp_path, FORWARDED_ALLOW_IPS="127.0.0.1") as server, self.client_of(server) as client:
            answers = [self.log_in(client, "wrong", f"10.0.0.{number}, 203.0.113.1") for number in range(3 * FREE)]
            assert 429 in [answer.status_code for answer in answers]
            assert self.log_in(client, PASSWORD, "203.0.113.2").headers["RateLimit"] == f'"login";r={FREE};t={MEMORY}'

    @pytest.fixture
    def two_workers(self, tmp_path: Path) -> Iterator[Server]:
        with redis_server(tmp_path, free_port()) as url, serving(tmp_path, "--workers", "2", REDIS_URL=url) as server:
            yield server
            server.stop()  # the workers, too

    @pytest.mark.slow
    def test_workers_on_one_redis_count_together(self, two_workers: Server) -> None:
        with self.client_of(two_workers) as client, ThreadPoolExecutor(50) as threads:
            answers = list(threads.map(lambda _: self.log_in(client, "wrong"), range(50)))
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) == {401, 429}
        assert FREE <= statuses.count(401) < 1.5 * FREE
