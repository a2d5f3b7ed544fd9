"""A real server under faults: clients that disconnect, a locked database, SIGTERM."""

import os
import signal
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.server import PASSWORD, Server, manage, serving

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    assert manage(tmp_path, "migrate", "-v0").returncode == 0
    assert manage(tmp_path, "seed", "--password", PASSWORD).returncode == 0
    with serving(tmp_path, "--no-migrate", BLOG_RESPONSE_CACHE_BYTES="0", BLOG_FREE_FAILURES="100000") as running:
        yield running


def resources(server: Server) -> tuple[int, int]:
    """Return the numbers of threads and of open files of the server."""
    process = Path(f"/proc/{server.process.pid}")
    return len(list((process / "task").iterdir())), len(list((process / "fd").iterdir()))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads and files in /proc")
def test_a_thousand_disconnecting_clients_leave_no_threads_or_files(server: Server) -> None:
    requests = [
        b"GET /api/v1/posts HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /api/v1/posts/1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b'Content-Length: 40\r\n\r\n{"username": "author", "password": "no"}',
        b"POST /api/v1/posts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf",
    ]

    def disconnect(times: int) -> None:
        for number in range(times):
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                client.sendall(requests[number % len(requests)])
                time.sleep(0.001 * (number % 4))

    disconnect(50)
    before = settled_resources(server)
    disconnect(1000)
    threads, files = settled_resources(server)
    with server.log_in() as client:
        assert client.get("/posts").status_code == 200
        assert client.post("/posts", json={"title": "After", "content": ""}).status_code == 201
    assert threads <= before[0] + 1
    assert files <= before[1] + 3
    assert "Traceback" not in server.log.read_text()


def settled_resources(server: Server) -> tuple[int, int]:
    """Return the server's resources when they no longer decrease."""
    httpx.get(f"{server.url}/api/v1/posts")
    latest = resources(server)
    for _ in range(20):
        time.sleep(0.25)
        if (now := resources(server)) >= latest:
            break
        latest = now
    return latest


def test_writes_to_a_locked_database_get_503_in_time_while_reads_continue(server: Server) -> None:
    writes: list[httpx.Response] = []
    with server.log_in() as client:
        blocker = sqlite3.connect(server.log.parent / "blog.sqlite3", isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")

        def write() -> None:
            writes.append(client.post("/posts", json={"title": "Waits", "content": ""}))

        threads = [threading.Thread(target=write) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        assert client.get("/posts").status_code == 200
        for thread in threads:
            thread.join(timeout=14)
        assert [write.status_code for write in writes] == [503, 503, 503]
        assert {write.json()["code"] for write in writes} == {"database_locked"}
        assert all(int(write.headers["Retry-After"]) > 0 for write in writes)
        blocker.execute("ROLLBACK")
        blocker.close()
        assert client.post("/posts", json={"title": "Free", "content": ""}).status_code == 201


def test_sigterm_lets_running_requests_finish(server: Server) -> None:
    database = server.log.parent / "blog.sqlite3"
    responses: list[httpx.Response] = []
    with server.log_in() as client, closing(sqlite3.connect(database, isolation_level=None)) as other_writer:
        writing = threading.Thread(
            target=lambda: responses.append(client.post("/posts", json={"title": "Waits", "content": ""}))
        )
        other_writer.execute("BEGIN IMMEDIATE")
        writing.start()
        time.sleep(0.3)
        os.kill(server.process.pid, signal.SIGTERM)
        time.sleep(0.3)
        assert not responses
        other_writer.rollback()
        writing.join(timeout=30)
    assert [response.status_code for response in responses] == [201]
    assert server.process.wait(30) in (0, -signal.SIGTERM)
    with closing(sqlite3.connect(database)) as reader:
        assert reader.execute("SELECT count(*) FROM posts_post WHERE title = 'Waits'").fetchone() == (1,)
