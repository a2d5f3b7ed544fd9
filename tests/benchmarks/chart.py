"""Draws the chart of a comparison as SVG: a panel for each operation, a bar for each peer, on a logarithmic scale."""

import math
from collections.abc import Iterator, Sequence
from html import escape

from tests.benchmarks.operations import Operation
from tests.benchmarks.peers import BARE, BLOGSITE, UNCACHED, Peer
from tests.benchmarks.report import Medians

COLUMNS = 2
MARGIN = 20
PANEL_WIDTH = 430
LABEL_WIDTH = 160
VALUE_WIDTH = 56
SCALE_WIDTH = PANEL_WIDTH - LABEL_WIDTH - VALUE_WIDTH
BAR = 16
STEP = 24
TITLE = 44
PANEL_TITLE = 30
PANEL_FOOT = 34

_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-size: 16px; font-weight: 600 }
.panel { font-size: 13px; font-weight: 600 }
.peer { text-anchor: end }
.tick { font-size: 10px; text-anchor: middle; fill: #6e7781 }
.grid { stroke: #d0d7de }
.bar { fill: #8c959f } .ours { fill: #0969da } .limit { fill: #d0d7de }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .tick { fill: #8d96a0 } .grid { stroke: #30363d }
  .bar { fill: #6e7681 } .ours { fill: #4493f8 } .limit { fill: #30363d }
}
"""


def draw(found: Medians, peers: Sequence[Peer], operations: Sequence[Operation]) -> str:
    """Return the chart as the text of an SVG file, which adapts to a light or dark background."""
    panel_height = PANEL_TITLE + STEP * len(peers) + PANEL_FOOT
    columns = min(COLUMNS, len(operations))
    width = columns * PANEL_WIDTH + 2 * MARGIN
    height = TITLE + math.ceil(len(operations) / COLUMNS) * panel_height + MARGIN
    low, high = _decades([median.rate for median in found.values()])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" aria-label="Requests a second of Blogsite and its peers">',
        f"<style>{_STYLE}</style>",
        _text(MARGIN, MARGIN + 8, "Requests a second, on one processor (logarithmic scale; more is better)", "title"),
    ]
    for number, operation in enumerate(operations):
        row, column = divmod(number, COLUMNS)
        rates = [(peer, found[peer.key, operation.name].rate) for peer in peers]
        x, y = MARGIN + column * PANEL_WIDTH, TITLE + row * panel_height
        parts += [f'<g transform="translate({x} {y})">', *_panel(operation.title, rates, low, high), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _panel(title: str, rates: Sequence[tuple[Peer, float]], low: int, high: int) -> Iterator[str]:
    yield _text(LABEL_WIDTH, PANEL_TITLE - 12, title, "panel")
    bottom = PANEL_TITLE + STEP * len(rates)
    for decade in range(low, high + 1):
        x = LABEL_WIDTH + SCALE_WIDTH * (decade - low) / (high - low)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{PANEL_TITLE - 4}" y2="{bottom}"/>'
        yield _text(x, bottom + 12, f"{10**decade:,}", "tick")
    for number, (peer, rate) in enumerate(rates):
        y = PANEL_TITLE + STEP * number
        length = SCALE_WIDTH * (math.log10(rate) - low) / (high - low)
        yield _text(LABEL_WIDTH - 8, y + 12, peer.name, "peer")
        yield f'<rect class="{_class(peer)}" x="{LABEL_WIDTH}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>'
        yield _text(LABEL_WIDTH + length + 6, y + 12, f"{rate:,.0f}", "value")


def _class(peer: Peer) -> str:
    if peer in (BLOGSITE, UNCACHED):
        return "ours"
    return "limit" if peer is BARE else "bar"


def _decades(rates: Sequence[float]) -> tuple[int, int]:
    """Return the exponents of the powers of ten that enclose all rates."""
    low = math.floor(math.log10(min(rates)))
    return low, max(low + 1, math.ceil(math.log10(max(rates))))


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
