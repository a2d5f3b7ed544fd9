"""Starts the server of a peer, waits until it is ready, and always stops it."""

import json
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import processors
from tests.benchmarks.http_request import HOST, Request
from tests.benchmarks.operations import POSTS_PATH
from tests.benchmarks.peers import Peer
from tests.benchmarks.workspace import PASSWORD, ROOT, author_name, environment

START_SECONDS = 60
STOP_SECONDS = 15


class ServerFailed(Exception):
    """A server did not start, or returned an unexpected response. A note contains the end of its log."""


@dataclass(frozen=True)
class Server:
    """A running server."""

    peer: Peer
    port: int
    pid: int

    def log_in(self, author: int) -> str:
        """Log in as the author with this id, and return the access token. Raises `ServerFailed`."""
        credentials = {"username": author_name(author), "password": PASSWORD}
        status, response = Request("/api/v1/auth/login", "POST", json.dumps(credentials)).send(self.port)
        if status != 200:
            raise ServerFailed(f"The login returned {status}: {response[:500]!r}")
        token: str = json.loads(response)["access_token"]
        return token

    def resident_bytes(self) -> int:
        """Return the resident memory of the process, or 0 on a system without `/proc`."""
        statistics = Path(f"/proc/{self.pid}/statm")
        pages = int(statistics.read_text().split()[1]) if statistics.exists() else 0
        return pages * resource.getpagesize()


@contextmanager
def running(peer: Peer, data_dir: Path) -> Iterator[Server]:
    """Run the server of `peer` with the database in `data_dir` until the block ends."""
    port = _free_port()
    log = data_dir / "server.log"
    with processors.of_the_server(), log.open("wb") as output:
        process = subprocess.Popen(
            [argument.format(port=port) for argument in peer.command],
            cwd=ROOT,
            env=environment(data_dir, **peer.settings),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches only this process, and the whole group can be stopped
        )
    try:
        _wait_until_ready(process, port)
        yield Server(peer, port, process.pid)
    except Exception as error:
        error.add_note(f"The end of the log of {peer.name}:\n{_tail(log)}")
        raise
    finally:
        _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerFailed(f"The server ended during its start with exit code {process.returncode}.")
        with suppress(OSError):
            status, _ = Request(POSTS_PATH).send(port)
            if status == 200:
                return
            raise ServerFailed(f"The server returned {status} for GET {POSTS_PATH}.")
        time.sleep(0.05)
    raise ServerFailed(f"The server did not response within {START_SECONDS} seconds.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # child processes that are still running
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _tail(log: Path, lines: int = 20) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
