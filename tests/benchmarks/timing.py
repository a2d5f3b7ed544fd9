"""Measures the duration of failed logins by their cause: the time must not reveal whether an account exists."""

import json
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from statistics import median

from tqdm import tqdm

from tests.benchmarks import processors, servers, workspace
from tests.benchmarks.http_request import Request
from tests.benchmarks.peers import BLOGSITE
from tests.benchmarks.report import as_markdown
from tests.benchmarks.servers import ServerFailed

ATTEMPTS_PER_KIND = 200
WRONG = 1
INACTIVE = 2
ATTEMPTS = {
    "wrong password": (workspace.author_name(WRONG), "not the password"),
    "unknown user": ("nobody-of-this-name", workspace.PASSWORD),
    "inactive account": (workspace.author_name(INACTIVE), workspace.PASSWORD),
}


def measure() -> dict[str, list[float]]:
    """Return the durations in seconds of each kind of attempt. The kinds alternate."""
    without_throttling = replace(BLOGSITE, settings={"BLOG_FREE_FAILURES": str(len(ATTEMPTS) * ATTEMPTS_PER_KIND * 2)})
    durations: dict[str, list[float]] = {name: [] for name in ATTEMPTS}
    with workspace.folder() as data_dir, processors.of_the_load():
        workspace.fill(data_dir, 0)
        with closing(sqlite3.connect(data_dir / workspace.DATABASE)) as database:
            database.execute("UPDATE accounts_user SET is_active = FALSE WHERE id = ?", [INACTIVE])
            database.commit()
        with servers.running(without_throttling, data_dir) as server:
            for _ in tqdm(range(ATTEMPTS_PER_KIND), unit="turn"):
                for name, (username, password) in ATTEMPTS.items():
                    body = json.dumps({"username": username, "password": password})
                    started = time.perf_counter()
                    status, response = Request("/api/v1/auth/login", "POST", body).send(server.port)
                    durations[name].append(time.perf_counter() - started)
                    if status != 401:
                        raise ServerFailed(f"A failed login returned {status}: {response[:500]!r}")
    return durations


def table(durations: dict[str, list[float]]) -> str:
    """Return the table in Markdown: the median of each kind, and its ratio to that of a wrong password."""
    medians = {name: median(seconds) for name, seconds in durations.items()}
    baseline = medians["wrong password"]
    rows = [[name, f"{value * 1000:.2f} ms", f"{value / baseline:.3f}x"] for name, value in medians.items()]
    return as_markdown([["Cause of the failed login", "Median", "Relative to a wrong password"], *rows])
