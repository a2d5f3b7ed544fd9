"""The command-line options."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from tests.benchmarks.operations import OPERATIONS, Operation
from tests.benchmarks.peers import PEERS, QUICK, Peer

T = TypeVar("T")

SIZES = (10_000, 100_000, 1_000_000)
SMALLEST = 100
CHART = Path(__file__).parent / "chart.svg"


class Options(argparse.Namespace):
    """The parsed options. `peers` and `operations` are in the order of the report."""

    peers: list[Peer]
    operations: list[Operation]
    rounds: int
    seconds: float
    chart: Path | None
    scale: bool
    sizes: list[int]
    timing: bool
    uploads: bool


def parse(arguments: list[str] | None = None) -> Options:
    """Parse the command line, or the given arguments. Exits with a message if an argument is invalid."""
    peers = "; ".join(f"{peer.key}: {peer.name}" for peer in PEERS.values())
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Measure Blogsite and comparable servers (peers) on this machine in one run.",
        epilog=f"The peers are {peers}. Most need the extra `bench`: pip install -e '.[bench]'.",
    )
    parser.add_argument("--quick", action="store_true", help="about one minute: fewer peers, one short round, no chart")
    parser.add_argument("--only", dest="peers", type=_some_of(PEERS), metavar="a,c", help="only these peers")
    parser.add_argument(
        "--operations", type=_some_of(OPERATIONS), metavar="NAMES", help=f"only some of {','.join(OPERATIONS)}"
    )
    parser.add_argument("--rounds", type=int, help="how many times each peer is measured (default: 3)")
    parser.add_argument("--seconds", type=float, help="how long each operation is measured (default: 5)")
    parser.add_argument(
        "--chart",
        type=Path,
        metavar="PATH",
        help=f"where to write the chart (default: {CHART.name} in this package, for a complete run)",
    )
    parser.add_argument("--scale", action="store_true", help="instead: reads without the cache, by the number of posts")
    parser.add_argument(
        "--sizes", type=_sizes, default=list(SIZES), metavar="N,N", help="the numbers of posts of --scale"
    )
    parser.add_argument("--timing", action="store_true", help="instead: the duration of failed logins, by the cause")
    parser.add_argument("--uploads", action="store_true", help="instead: cached reads while many images are uploaded")
    options = parser.parse_args(arguments, Options())
    partial = options.quick or options.peers or options.operations
    options.peers = options.peers or list(QUICK if options.quick else PEERS.values())
    options.operations = options.operations or list(OPERATIONS.values())
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.seconds = options.seconds or (2 if options.quick else 5)
    options.chart = options.chart or (None if partial else CHART)
    return options


def _some_of(known: Mapping[str, T]) -> Callable[[str], list[T]]:
    def some_of(text: str) -> list[T]:
        chosen = text.split(",")
        if unknown := set(chosen) - known.keys():
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(known)}")
        return [value for name, value in known.items() if name in chosen]

    return some_of


def _sizes(text: str) -> list[int]:
    if not all(size.isdecimal() and int(size) >= SMALLEST for size in text.split(",")):
        raise argparse.ArgumentTypeError(f"give numbers of posts of at least {SMALLEST}, separated by commas")
    return sorted({int(size) for size in text.split(",")})
