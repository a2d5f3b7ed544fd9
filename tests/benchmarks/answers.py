"""What Blogsite answers to each call: every peer must answer the same, before it is measured."""

import json
from collections.abc import Iterable, Mapping
from difflib import unified_diff
from pathlib import Path

from tests.benchmarks.calls import Call
from tests.benchmarks.operations import Operation

FILE = "answers.json"
COMPARED = 5

Answers = Mapping[tuple[str, str], tuple[int, bytes]]
"""The status and the body, by the method and the path."""


class WrongAnswer(Exception):
    """A peer answers something else than Blogsite. The text shows where."""


def record(calls: Iterable[Call], *, port: int) -> Answers:
    """Ask a running Blogsite for the answers to all these calls."""
    return {(call.method, call.path): call.send(port) for call in calls}


def save(answers: Answers, data_dir: Path) -> None:
    """Write the answers beside the database, for the peer that has nothing else."""
    rows = [[*call, status, body.decode()] for call, (status, body) in answers.items()]
    (data_dir / FILE).write_text(json.dumps(rows))


def load(data_dir: Path) -> Answers:
    """Read what `save` wrote."""
    rows = json.loads((data_dir / FILE).read_text())
    return {(method, path): (status, body.encode()) for method, path, status, body in rows}


def verify(operation: Operation, calls: list[Call], answers: Answers, *, port: int) -> None:
    """Send some of the calls. Raises `WrongAnswer` unless each is answered as Blogsite did."""
    for call in calls[:: max(1, len(calls) // COMPARED)]:
        _, expected = answers[call.method, call.path]
        status, answer = call.send(port)
        if status != operation.status:
            raise WrongAnswer(f"{call.method} {call.path}: {status} instead of {operation.status}: {answer[:500]!r}")
        right, given = operation.comparable(expected), operation.comparable(answer)
        if given != right:
            difference = unified_diff(right.splitlines(), given.splitlines(), "Blogsite", "this peer", lineterm="", n=0)
            raise WrongAnswer("\n".join([f"{call.method} {call.path} is not the same:", *list(difference)[:20]]))
