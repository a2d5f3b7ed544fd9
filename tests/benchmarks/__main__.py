"""The command: `python -m tests.benchmarks`."""

import signal
import sys
from importlib.util import find_spec
from types import FrameType

from tests.benchmarks import chart, comparison, machine, options, report, scale, timing, uploads
from tests.benchmarks.options import Options
from tests.benchmarks.peers import BASELINE


def main() -> None:
    """Measure, print the table, and write the chart."""
    asked = options.parse()
    instead = next((act for wanted, act in _INSTEAD.items() if getattr(asked, wanted)), None)
    peers = [] if instead else asked.peers
    missing = {package for peer in peers for package in peer.packages if find_spec(package) is None}
    if missing:
        sys.exit(f"Not installed: {', '.join(sorted(missing))}. Run: pip install -e '.[bench]'")
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        sys.stdout.write((instead or _compare)(asked))
    except KeyboardInterrupt:
        sys.exit("\nStopped, and all servers with it.")


def _compare(asked: Options) -> str:
    measured_on = machine.description()
    results = comparison.compare(asked.peers, asked.operations, rounds=asked.rounds, seconds=asked.seconds)
    found = report.medians(results)
    if asked.chart:
        asked.chart.write_text(chart.draw(found, asked.peers, asked.operations))
    explanation = (
        f"Medians of {asked.rounds} rounds of {asked.seconds:g} s: requests a second, times the rate of "
        f"{BASELINE.name}, and the 99th percentile of the latency."
    )
    return f"\n{measured_on}\n\n{report.table(found, asked.peers, asked.operations)}\n\n{explanation}\n"


def _scale(asked: Options) -> str:
    measured_on = machine.description()
    grown = scale.measure(asked.sizes, rounds=asked.rounds, seconds=asked.seconds)
    explanation = (
        f"Medians of {asked.rounds} rounds of {asked.seconds:g} s, without the response cache: requests a second, the "
        f"median latency, and the time a request takes, as a multiple of that with {asked.sizes[0]:,} posts."
    )
    return f"\n{measured_on}\n\n{scale.table(grown)}\n\n{explanation}\n"


def _timing(asked: Options) -> str:
    measured_on = machine.description()
    return f"\n{measured_on}\n\n{timing.table(timing.measure())}\n\nMedians of {timing.TRIES} tries each, in turn.\n"


def _uploads(asked: Options) -> str:
    measured_on = machine.description()
    alone, meanwhile, uploaded = uploads.measure(rounds=asked.rounds, seconds=asked.seconds)
    explanation = (
        f"Medians of {asked.rounds} rounds of {asked.seconds:g} s, the server and what it starts on one processor; "
        f"{uploaded} images of 6 megapixels were uploaded."
    )
    return f"\n{measured_on}\n\n{uploads.table(alone, meanwhile)}\n\n{explanation}\n"


_INSTEAD = {"scale": _scale, "timing": _timing, "uploads": _uploads}


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
