"""Starts a real server for a test: `manage.py serve` in a separate process."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from blogsite.environment import Environment

ROOT = Path(__file__).parent.parent
START_SECONDS = 60
PASSWORD = "quiet-river-lantern"


@dataclass(frozen=True)
class Server:
    """A running server. `log` is the file with its output."""

    url: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def log_in(self, username: str = "author") -> httpx.Client:
        """Return a client of the API with an access token of a sample user, whose password is `PASSWORD`."""
        credentials = {"username": username, "password": PASSWORD}
        tokens = httpx.post(f"{self.url}/api/v1/auth/login", json=credentials).json()
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        return httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=120)

    def stop(self) -> int:
        """Send SIGTERM, wait for the end of the process, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(START_SECONDS)


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    """Return the environment of a process that uses `data_dir`, without the settings of the tests."""
    known = {name.upper() for name in Environment.model_fields} | {"DJANGO_SETTINGS_MODULE"}
    kept = {name: value for name, value in os.environ.items() if name not in known}
    return {**kept, "BLOG_DATA_DIR": str(data_dir), **settings}


def manage(data_dir: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a management command to its end, for at most 120 seconds."""
    command = [sys.executable, "manage.py", *arguments]
    env = environment(data_dir, **settings)
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)


def free_port() -> int:
    """Return a port that no process is listening on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def serving(data_dir: Path, *arguments: str, application: str | None = None, **settings: str) -> Iterator[Server]:
    """Run a server on a free port until the block ends.

    With `application`, plain uvicorn serves that ASGI application instead of `manage.py serve`. Raises `RuntimeError`
    with the log if the server does not start.
    """
    port = free_port()
    if application is None:
        command = [sys.executable, "manage.py", "serve", "--port", str(port), *arguments]
    else:
        command = [sys.executable, "-m", "uvicorn", application, "--port", str(port), "--lifespan", "auto"]
    log = data_dir / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(data_dir, **settings),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that its workers can be stopped with it
        )
    try:
        server = Server(f"http://127.0.0.1:{port}", port, process, log)
        _wait_until_ready(server)
        yield server
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            httpx.get(f"{server.url}/api/v1/openapi.json")
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"The server did not start:\n{server.log.read_text()}")
