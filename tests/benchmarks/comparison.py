"""Measures all peers in each round, so that a slow minute of the machine affects all of them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from tests.benchmarks import load, processors, responses, servers, workspace
from tests.benchmarks.load import Measurement
from tests.benchmarks.operations import Operation
from tests.benchmarks.peers import BLOGSITE, Peer, tokens
from tests.benchmarks.responses import Responses
from tests.benchmarks.servers import Server

POSTS = range(1, 20_001)
WRITER = 1

Results = dict[tuple[str, str], list[Measurement]]
"""The measurements of all rounds, by the keys of the peer and of the operation."""


def compare(peers: Sequence[Peer], operations: Sequence[Operation], *, rounds: int, seconds: float) -> Results:
    """Measure every operation of every peer in every round. Each visit uses a fresh copy of the database."""
    results: Results = defaultdict(list)
    with workspace.folder() as data_dir, processors.of_the_load():
        workspace.fill(data_dir, len(POSTS))
        responses.save(_record(data_dir, operations), data_dir)
        expected = responses.load(data_dir)
        with tqdm(total=rounds * len(peers) * len(operations), unit="measurement") as bar:
            for _ in range(rounds):
                for peer in peers:
                    bar.set_description(peer.name)
                    for operation, measurement in _visit(peer, data_dir, operations, expected, seconds):
                        results[peer.key, operation.name].append(measurement)
                        bar.update()
    return results


def _record(data_dir: Path, operations: Sequence[Operation]) -> Responses:
    with workspace.copy_of(data_dir) as copy, servers.running(BLOGSITE, copy) as server:
        token = _token(server)
        requests = [request for operation in operations for request in operation.requests(POSTS, token)]
        return responses.record(requests, port=server.port)


def _visit(
    peer: Peer, data_dir: Path, operations: Sequence[Operation], expected: Responses, seconds: float
) -> Iterator[tuple[Operation, Measurement]]:
    with workspace.copy_of(data_dir) as copy, servers.running(peer, copy) as server:
        for operation in operations:
            token = _token(server)
            responses.verify(operation, operation.requests(POSTS, token), expected, port=server.port)
            load.warm_up(operation.requests(POSTS, token), port=server.port)
            yield operation, load.measure(operation.requests(POSTS, token), port=server.port, seconds=seconds)


def _token(server: Server) -> str:
    """Return an access token of an author. It is made here if the server has no login."""
    if not server.peer.logs_in:
        return tokens.issue(WRITER, key=workspace.TOKEN_KEY)
    return server.log_in(WRITER)
