"""Measures the peers side by side, round after round, so that a slow minute of the machine is everybody's."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from tests.benchmarks import answers, load, processors, servers, workplace
from tests.benchmarks.answers import Answers
from tests.benchmarks.load import Measurement
from tests.benchmarks.operations import Operation
from tests.benchmarks.peers import BLOGSITE, Peer, tokens
from tests.benchmarks.servers import Server

POSTS = range(1, 20_001)
WRITER = 1

Results = dict[tuple[str, str], list[Measurement]]
"""The measurements of all rounds, by the keys of the peer and of the operation."""


def compare(peers: Sequence[Peer], operations: Sequence[Operation], *, rounds: int, seconds: float) -> Results:
    """Measure every operation of every peer, in every round, each time on a fresh copy of the same database."""
    results: Results = defaultdict(list)
    with workplace.folder() as data_dir, processors.of_the_load():
        workplace.fill(data_dir, len(POSTS))
        answers.save(_record(data_dir, operations), data_dir)
        expected = answers.load(data_dir)
        with tqdm(total=rounds * len(peers) * len(operations), unit="measurement") as bar:
            for _ in range(rounds):
                for peer in peers:
                    bar.set_description(peer.name)
                    for operation, measurement in _visit(peer, data_dir, operations, expected, seconds):
                        results[peer.key, operation.name].append(measurement)
                        bar.update()
    return results


def _record(data_dir: Path, operations: Sequence[Operation]) -> Answers:
    with workplace.copy_of(data_dir) as copy, servers.running(BLOGSITE, copy) as server:
        token = _token(server)
        calls = [call for operation in operations for call in operation.calls(POSTS, token)]
        return answers.record(calls, port=server.port)


def _visit(
    peer: Peer, data_dir: Path, operations: Sequence[Operation], expected: Answers, seconds: float
) -> Iterator[tuple[Operation, Measurement]]:
    with workplace.copy_of(data_dir) as copy, servers.running(peer, copy) as server:
        for operation in operations:
            token = _token(server)
            answers.verify(operation, operation.calls(POSTS, token), expected, port=server.port)
            load.warm_up(operation.calls(POSTS, token), port=server.port)
            yield operation, load.measure(operation.calls(POSTS, token), port=server.port, seconds=seconds)


def _token(server: Server) -> str:
    """An access token of an author: by logging in where that is possible, else made here."""
    if not server.peer.logs_in:
        return tokens.issue(WRITER, key=workplace.TOKEN_KEY)
    return server.log_in(WRITER)
