"""The table of a comparison: medians of all rounds, and their ratios to the baseline."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tests.benchmarks.load import Measurement
from tests.benchmarks.operations import Operation
from tests.benchmarks.peers import BASELINE, Peer


@dataclass(frozen=True)
class Median:
    """The medians of one operation. `ratio` is the rate divided by that of the baseline, or None without a baseline."""

    rate: float
    p99: float
    ratio: float | None


Medians = dict[tuple[str, str], Median]
"""By the keys of the peer and of the operation."""


def medians(results: dict[tuple[str, str], list[Measurement]]) -> Medians:
    """Return the medians of all rounds."""
    rates = {key: median(measurement.rate for measurement in found) for key, found in results.items()}
    return {
        (peer, operation): Median(
            rate=rate,
            p99=median(measurement.p99 for measurement in results[peer, operation]),
            ratio=rate / rates[BASELINE.key, operation] if (BASELINE.key, operation) in rates else None,
        )
        for (peer, operation), rate in rates.items()
    }


def table(found: Medians, peers: Sequence[Peer], operations: Sequence[Operation]) -> str:
    """Return the table in Markdown: a row for each peer, with requests per second, ratio and p99 of each operation."""
    head = ["", *(operation.title for operation in operations)]
    rows = [
        [f"{peer.key}. {peer.name}", *(_cell(found[peer.key, operation.name]) for operation in operations)]
        for peer in peers
    ]
    return as_markdown([head, *rows])


def _cell(value: Median) -> str:
    ratio = "" if value.ratio is None else f" {value.ratio:>6.2f}x"
    return f"{value.rate:>7,.0f}/s{ratio} {value.p99:>6,.1f} ms"


def as_markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return an aligned Markdown table. The first row is the head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    aligned = [
        [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        for row in (rows[0], rule, *rows[1:])
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in aligned)
