"""A load without wrk: HTTP/1.1 over asyncio streams, with connections that are kept alive."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from itertools import count, cycle

from tests.benchmarks.calls import NUMBER

GRACE_SECONDS = 30
_MARK = NUMBER.encode()


def drive(
    requests: Sequence[bytes], *, host: str, port: int, connections: int, seconds: float
) -> tuple[list[float], int, float]:
    """Send the requests in turn from all connections until the time is over.

    Returns the latencies in seconds, in ascending order, the number of failures, and how many seconds it took. Raises
    `TimeoutError` for a server that has stopped to answer.
    """
    return asyncio.run(_drive(requests, host, port, connections, seconds))


async def _drive(
    requests: Sequence[bytes], host: str, port: int, connections: int, seconds: float
) -> tuple[list[float], int, float]:
    endless = _endless(requests)
    start = time.perf_counter()
    lanes = [_lane(endless, host, port, start + seconds) for _ in range(connections)]
    async with asyncio.timeout(seconds + GRACE_SECONDS):
        results = await asyncio.gather(*lanes)
    took = time.perf_counter() - start
    latencies = sorted(latency for lane, _ in results for latency in lane)
    return latencies, sum(failures for _, failures in results), took


def _endless(requests: Sequence[bytes]) -> Iterator[bytes]:
    numbers = count(1)
    for request in cycle(requests):
        yield request.replace(_MARK, b"%0*d" % (len(_MARK), next(numbers))) if _MARK in request else request


async def _lane(requests: Iterator[bytes], host: str, port: int, deadline: float) -> tuple[list[float], int]:
    latencies: list[float] = []
    failures = 0
    reader, writer = await asyncio.open_connection(host, port)
    while (sent := time.perf_counter()) < deadline:
        writer.write(next(requests))
        try:
            right, keep_alive = await _read_answer(reader)
        except (OSError, asyncio.IncompleteReadError):
            right = keep_alive = False
        latencies.append(time.perf_counter() - sent)
        failures += not right
        if not keep_alive:
            writer.close()
            reader, writer = await asyncio.open_connection(host, port)
    writer.close()
    return latencies, failures


async def _read_answer(reader: asyncio.StreamReader) -> tuple[bool, bool]:
    """Read one answer: whether its status is a success, and whether the connection stays open."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status, *lines = head.split(b"\r\n")
    headers = dict(line.split(b": ", 1) for line in lines if line)
    if headers.get(b"transfer-encoding") == b"chunked":
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + len(b"\r\n"))
        await reader.readline()
    else:
        await reader.readexactly(int(headers[b"content-length"]))
    return status.split()[1].startswith(b"2"), headers.get(b"connection") != b"close"
