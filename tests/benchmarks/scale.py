"""Measures Blogsite's reads without the cache as the blog grows: none of them may cost more for it."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tqdm import tqdm

from tests.benchmarks import load, processors, report, servers, workplace
from tests.benchmarks.calls import Call
from tests.benchmarks.load import Measurement
from tests.benchmarks.operations import OPERATIONS, POSTS_PATH
from tests.benchmarks.peers import UNCACHED
from tests.benchmarks.servers import Server, ServerFailed
from tests.benchmarks.texts import COMMON_TAG, COMMON_WORD, LONE_TAG, SELDOM, SELDOM_WORD

DEEP_PAGE = 1_000
DEEP_LIMIT = 10
MIB = 1024 * 1024


@dataclass
class Growth:
    """What was seen at one number of posts: by read, the measurements of all rounds; bytes in memory and on disk."""

    posts: int
    reads: dict[str, list[Measurement]] = field(default_factory=lambda: defaultdict(list))
    memory: list[int] = field(default_factory=list)
    disk: int = 0


def measure(sizes: Sequence[int], *, rounds: int, seconds: float) -> list[Growth]:
    """Measure all reads at each number of posts, in every round. Each has a database of its own."""
    grown = [Growth(size) for size in sizes]
    with ExitStack() as stack, processors.of_the_load():
        folders = {size: stack.enter_context(workplace.folder()) for size in sizes}
        for growth in grown:
            workplace.fill(folders[growth.posts], growth.posts)
            growth.disk = workplace.size_of(folders[growth.posts])
        bar = stack.enter_context(tqdm(total=rounds * len(sizes), unit="server"))
        for _ in range(rounds):
            for growth in grown:
                bar.set_description(f"{growth.posts:,} posts")
                _visit(growth, folders[growth.posts], seconds)
                bar.update()
    return grown


def _visit(growth: Growth, data_dir: Path, seconds: float) -> None:
    with servers.running(UNCACHED, data_dir) as server:
        for name, calls in _reads(server, range(1, growth.posts + 1)):
            load.warm_up(calls, port=server.port)
            growth.reads[name].append(load.measure(calls, port=server.port, seconds=seconds))
        growth.memory.append(server.resident_bytes())


def _reads(server: Server, posts: range) -> Iterator[tuple[str, list[Call]]]:
    yield "First page", [Call(POSTS_PATH)]
    last = len(posts) - DEEP_LIMIT
    yield f"Page {DEEP_PAGE:,} of {DEEP_LIMIT}", [_page_behind(server, min((DEEP_PAGE - 1) * DEEP_LIMIT, last))]
    yield f"Last page of {DEEP_LIMIT}", [_page_behind(server, last)]
    yield "An author's posts", [Call(f"{POSTS_PATH}?author={workplace.author_name(1)}")]
    for where, tag in (("half of the posts", COMMON_TAG), ("one post", LONE_TAG), ("no post", f"no-{LONE_TAG}")):
        yield f"A tag of {where}", [Call(f"{POSTS_PATH}?tag={tag}")]
    yield f"A word of 1 post in {SELDOM}", [Call(f"{POSTS_PATH}?q={SELDOM_WORD}")]
    yield "A word of nearly all", [Call(f"{POSTS_PATH}?q={COMMON_WORD}")]
    yield "One post", OPERATIONS["detail"].calls(posts, "")


def _page_behind(server: Server, number: int) -> Call:
    """The page that follows the n-th post from the newest. Its cursor comes from a list of that post alone."""
    newer = f"{workplace.published_at(number - 1):%Y-%m-%dT%H:%M:%SZ}"
    status, answer = Call(f"{POSTS_PATH}?limit=1&published_before={newer}").send(server.port)
    if status != 200:
        raise ServerFailed(f"A list is answered with {status}: {answer[:500]!r}")
    return Call(f"{POSTS_PATH}?limit={DEEP_LIMIT}&cursor={json.loads(answer)['next']}")


def table(grown: Sequence[Growth]) -> str:
    """The table in Markdown: a row for each number of posts; how many times the least blog's time each read takes."""
    least = grown[0]
    head = ["Posts", *least.reads, "Memory", "On disk"]
    rows = [
        [
            f"{growth.posts:,}",
            *(_cell(growth.reads[name], least.reads[name]) for name in least.reads),
            f"{median(growth.memory) / MIB:,.0f} MiB",
            f"{growth.disk / MIB:,.0f} MiB",
        ]
        for growth in grown
    ]
    return report.as_markdown([head, *rows])


def _cell(found: Sequence[Measurement], least: Sequence[Measurement]) -> str:
    rate = median(measurement.rate for measurement in found)
    p50 = median(measurement.p50 for measurement in found)
    growth = median(measurement.rate for measurement in least) / rate
    return f"{rate:>7,.0f}/s {p50:>6,.1f} ms {growth:>5.2f}x"
