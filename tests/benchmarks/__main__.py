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
    chosen = options.parse()
    mode = next((run for name, run in _MODES.items() if getattr(chosen, name)), None)
    peers = [] if mode else chosen.peers
    missing = {package for peer in peers for package in peer.packages if find_spec(package) is None}
    if missing:
        sys.exit(f"Not installed: {', '.join(sorted(missing))}. Run: pip install -e '.[bench]'")
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        sys.stdout.write((mode or _compare)(chosen))
    except KeyboardInterrupt:
        sys.exit("\nStopped, together with all servers.")


def _compare(chosen: Options) -> str:
    measured_on = machine.description()
    results = comparison.compare(chosen.peers, chosen.operations, rounds=chosen.rounds, seconds=chosen.seconds)
    found = report.medians(results)
    if chosen.chart:
        chosen.chart.write_text(chart.draw(found, chosen.peers, chosen.operations))
    explanation = (
        f"Medians of {chosen.rounds} rounds of {chosen.seconds:g} s: requests a second, times the rate of "
        f"{BASELINE.name}, and the 99th percentile of the latency."
    )
    return f"\n{measured_on}\n\n{report.table(found, chosen.peers, chosen.operations)}\n\n{explanation}\n"


def _scale(chosen: Options) -> str:
    measured_on = machine.description()
    grown = scale.measure(chosen.sizes, rounds=chosen.rounds, seconds=chosen.seconds)
    explanation = (
        f"Medians of {chosen.rounds} rounds of {chosen.seconds:g} s, without the response cache: requests a second, "
        f"the median latency, and the time a request takes, as a multiple of that with {chosen.sizes[0]:,} posts."
    )
    return f"\n{measured_on}\n\n{scale.table(grown)}\n\n{explanation}\n"


def _timing(chosen: Options) -> str:
    measured_on = machine.description()
    explanation = f"Medians of {timing.ATTEMPTS_PER_KIND} attempts each, alternating."
    return f"\n{measured_on}\n\n{timing.table(timing.measure())}\n\n{explanation}\n"


def _uploads(chosen: Options) -> str:
    measured_on = machine.description()
    alone, meanwhile, uploaded = uploads.measure(rounds=chosen.rounds, seconds=chosen.seconds)
    explanation = (
        f"Medians of {chosen.rounds} rounds of {chosen.seconds:g} s, the server and its children on one processor; "
        f"{uploaded} images of 6 megapixels were uploaded."
    )
    return f"\n{measured_on}\n\n{uploads.table(alone, meanwhile)}\n\n{explanation}\n"


_MODES = {"scale": _scale, "timing": _timing, "uploads": _uploads}


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
