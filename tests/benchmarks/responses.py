"""The recorded responses of Blogsite. Before a peer is measured, its responses are compared with them."""

import json
from collections.abc import Iterable, Mapping
from difflib import unified_diff
from pathlib import Path

from tests.benchmarks.http_request import Request
from tests.benchmarks.operations import Operation

FILE = "responses.json"
COMPARED = 5

Responses = Mapping[tuple[str, str], tuple[int, bytes]]
"""The status and the body, by the method and the path."""


class WrongResponse(Exception):
    """A peer returned another response than Blogsite. The message shows the difference."""


def record(requests: Iterable[Request], *, port: int) -> Responses:
    """Send all these requests to a running Blogsite, and return its responses."""
    return {(request.method, request.path): request.send(port) for request in requests}


def save(responses: Responses, data_dir: Path) -> None:
    """Write the responses to a file beside the database, for the peer that only replays them."""
    rows = [[*request, status, body.decode()] for request, (status, body) in responses.items()]
    (data_dir / FILE).write_text(json.dumps(rows))


def load(data_dir: Path) -> Responses:
    """Return the responses that `save` wrote."""
    rows = json.loads((data_dir / FILE).read_text())
    return {(method, path): (status, body.encode()) for method, path, status, body in rows}


def verify(operation: Operation, requests: list[Request], responses: Responses, *, port: int) -> None:
    """Send some of the requests. Raises `WrongResponse` unless each response equals that of Blogsite."""
    for request in requests[:: max(1, len(requests) // COMPARED)]:
        _, expected = responses[request.method, request.path]
        status, response = request.send(port)
        if status != operation.status:
            raise WrongResponse(
                f"{request.method} {request.path}: {status} instead of {operation.status}: {response[:500]!r}"
            )
        expected_text, found = operation.comparable(expected), operation.comparable(response)
        if found != expected_text:
            difference = unified_diff(
                expected_text.splitlines(), found.splitlines(), "Blogsite", "this peer", lineterm="", n=0
            )
            raise WrongResponse(
                "\n".join([f"{request.method} {request.path} has another response:", *list(difference)[:20]])
            )
