"""Measures how long a failed login takes, by why it fails: nobody may learn from the time whether an account exists."""

import json
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from statistics import median

from tqdm import tqdm

from tests.benchmarks import processors, servers, workplace
from tests.benchmarks.calls import Call
from tests.benchmarks.peers import BLOGSITE
from tests.benchmarks.report import as_markdown
from tests.benchmarks.servers import ServerFailed

TRIES = 200
WRONG = 1
INACTIVE = 2
ATTEMPTS = {
    "wrong password": (workplace.author_name(WRONG), "not the password"),
    "unknown user": ("nobody-of-this-name", workplace.PASSWORD),
    "inactive account": (workplace.author_name(INACTIVE), workplace.PASSWORD),
}


def measure() -> dict[str, list[float]]:
    """The seconds that each kind of attempt takes, one kind after the other in turn."""
    patient = replace(BLOGSITE, settings={"BLOG_FREE_FAILURES": str(len(ATTEMPTS) * TRIES * 2)})
    taken: dict[str, list[float]] = {name: [] for name in ATTEMPTS}
    with workplace.folder() as data_dir, processors.of_the_load():
        workplace.fill(data_dir, 0)
        with closing(sqlite3.connect(data_dir / workplace.DATABASE)) as database:
            database.execute("UPDATE accounts_user SET is_active = FALSE WHERE id = ?", [INACTIVE])
            database.commit()
        with servers.running(patient, data_dir) as server:
            for _ in tqdm(range(TRIES), unit="turn"):
                for name, (username, password) in ATTEMPTS.items():
                    body = json.dumps({"username": username, "password": password})
                    started = time.perf_counter()
                    status, answer = Call("/api/v1/auth/login", "POST", body).send(server.port)
                    taken[name].append(time.perf_counter() - started)
                    if status != 401:
                        raise ServerFailed(f"A failed login is answered with {status}: {answer[:500]!r}")
    return taken


def table(taken: dict[str, list[float]]) -> str:
    """The table in Markdown: the median of each kind, and how many times that of a wrong password it is."""
    medians = {name: median(seconds) for name, seconds in taken.items()}
    least = medians["wrong password"]
    rows = [[name, f"{value * 1000:.2f} ms", f"{value / least:.3f}x"] for name, value in medians.items()]
    return as_markdown([["A login that fails by", "Median", "Beside a wrong password"], *rows])
