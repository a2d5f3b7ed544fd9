"""Measures reads without the cache by the number of posts: no read may become slower with more posts."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tqdm import tqdm

from tests.benchmarks import load, processors, report, servers, workspace
from tests.benchmarks.content import COMMON_TAG, COMMON_WORD, RARE_INTERVAL, RARE_WORD, UNIQUE_TAG
from tests.benchmarks.http_request import Request
from tests.benchmarks.load import Measurement
from tests.benchmarks.operations import OPERATIONS, POSTS_PATH
from tests.benchmarks.peers import UNCACHED
from tests.benchmarks.servers import Server, ServerFailed

DEEP_PAGE = 1_000
DEEP_LIMIT = 10
MIB = 1024 * 1024


@dataclass
class Growth:
    """The results for one number of posts: the measurements of each read, and the bytes in memory and on disk."""

    posts: int
    reads: dict[str, list[Measurement]] = field(default_factory=lambda: defaultdict(list))
    memory: list[int] = field(default_factory=list)
    disk: int = 0


def measure(sizes: Sequence[int], *, rounds: int, seconds: float) -> list[Growth]:
    """Measure all reads for each number of posts in every round. Each number has its own database."""
    grown = [Growth(size) for size in sizes]
    with ExitStack() as stack, processors.of_the_load():
        folders = {size: stack.enter_context(workspace.folder()) for size in sizes}
        for growth in grown:
            workspace.fill(folders[growth.posts], growth.posts)
            growth.disk = workspace.size_of(folders[growth.posts])
        bar = stack.enter_context(tqdm(total=rounds * len(sizes), unit="server"))
        for _ in range(rounds):
            for growth in grown:
                bar.set_description(f"{growth.posts:,} posts")
                _visit(growth, folders[growth.posts], seconds)
                bar.update()
    return grown


def _visit(growth: Growth, data_dir: Path, seconds: float) -> None:
    with servers.running(UNCACHED, data_dir) as server:
        for name, requests in _reads(server, range(1, growth.posts + 1)):
            load.warm_up(requests, port=server.port)
            growth.reads[name].append(load.measure(requests, port=server.port, seconds=seconds))
        growth.memory.append(server.resident_bytes())


def _reads(server: Server, posts: range) -> Iterator[tuple[str, list[Request]]]:
    yield "First page", [Request(POSTS_PATH)]
    last = len(posts) - DEEP_LIMIT
    yield f"Page {DEEP_PAGE:,} of {DEEP_LIMIT}", [_page_after(server, min((DEEP_PAGE - 1) * DEEP_LIMIT, last))]
    yield f"Last page of {DEEP_LIMIT}", [_page_after(server, last)]
    yield "An author's posts", [Request(f"{POSTS_PATH}?author={workspace.author_name(1)}")]
    for where, tag in (("half of the posts", COMMON_TAG), ("one post", UNIQUE_TAG), ("no post", f"no-{UNIQUE_TAG}")):
        yield f"A tag of {where}", [Request(f"{POSTS_PATH}?tag={tag}")]
    yield f"A word of 1 post in {RARE_INTERVAL}", [Request(f"{POSTS_PATH}?q={RARE_WORD}")]
    yield "A word of nearly all posts", [Request(f"{POSTS_PATH}?q={COMMON_WORD}")]
    yield "One post", OPERATIONS["detail"].requests(posts, "")


def _page_after(server: Server, number: int) -> Request:
    """Return the request for the page after the n-th newest post, with the cursor of a list of only that post."""
    newer = f"{workspace.published_at(number - 1):%Y-%m-%dT%H:%M:%SZ}"
    status, response = Request(f"{POSTS_PATH}?limit=1&published_before={newer}").send(server.port)
    if status != 200:
        raise ServerFailed(f"A list returned {status}: {response[:500]!r}")
    return Request(f"{POSTS_PATH}?limit={DEEP_LIMIT}&cursor={json.loads(response)['next']}")


def table(grown: Sequence[Growth]) -> str:
    """Return the table in Markdown: a row for each number of posts, with times relative to the smallest number."""
    smallest = grown[0]
    head = ["Posts", *smallest.reads, "Memory", "On disk"]
    rows = [
        [
            f"{growth.posts:,}",
            *(_cell(growth.reads[name], smallest.reads[name]) for name in smallest.reads),
            f"{median(growth.memory) / MIB:,.0f} MiB",
            f"{growth.disk / MIB:,.0f} MiB",
        ]
        for growth in grown
    ]
    return report.as_markdown([head, *rows])


def _cell(found: Sequence[Measurement], smallest: Sequence[Measurement]) -> str:
    rate = median(measurement.rate for measurement in found)
    p50 = median(measurement.p50 for measurement in found)
    growth = median(measurement.rate for measurement in smallest) / rate
    return f"{rate:>7,.0f}/s {p50:>6,.1f} ms {growth:>5.2f}x"
