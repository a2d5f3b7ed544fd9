"""A load generator for machines without wrk: HTTP/1.1 over asyncio streams, on connections that are kept alive."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from itertools import count, cycle

from tests.benchmarks.http_request import NUMBER

GRACE_SECONDS = 30
_PLACEHOLDER = NUMBER.encode()


def drive(
    requests: Sequence[bytes], *, host: str, port: int, connections: int, seconds: float
) -> tuple[list[float], int, float]:
    """Send the requests in turn from all connections until the time has passed.

    Returns the latencies in seconds, in ascending order, the number of failures, and the duration in seconds. Raises
    `TimeoutError` if the server stops answering.
    """
    return asyncio.run(_drive(requests, host, port, connections, seconds))


async def _drive(
    requests: Sequence[bytes], host: str, port: int, connections: int, seconds: float
) -> tuple[list[float], int, float]:
    numbered = _numbered(requests)
    start = time.perf_counter()
    loops = [_connection_loop(numbered, host, port, start + seconds) for _ in range(connections)]
    async with asyncio.timeout(seconds + GRACE_SECONDS):
        results = await asyncio.gather(*loops)
    took = time.perf_counter() - start
    latencies = sorted(latency for found, _ in results for latency in found)
    return latencies, sum(failures for _, failures in results), took


def _numbered(requests: Sequence[bytes]) -> Iterator[bytes]:
    numbers = count(1)
    for request in cycle(requests):
        yield (
            request.replace(_PLACEHOLDER, b"%0*d" % (len(_PLACEHOLDER), next(numbers)))
            if _PLACEHOLDER in request
            else request
        )


async def _connection_loop(requests: Iterator[bytes], host: str, port: int, deadline: float) -> tuple[list[float], int]:
    latencies: list[float] = []
    failures = 0
    reader, writer = await asyncio.open_connection(host, port)
    while (sent := time.perf_counter()) < deadline:
        writer.write(next(requests))
        try:
            succeeded, keep_alive = await _read_response(reader)
        except (OSError, asyncio.IncompleteReadError):
            succeeded = keep_alive = False
        latencies.append(time.perf_counter() - sent)
        failures += not succeeded
        if not keep_alive:
            writer.close()
            reader, writer = await asyncio.open_connection(host, port)
    writer.close()
    return latencies, failures


async def _read_response(reader: asyncio.StreamReader) -> tuple[bool, bool]:
    """Read one response. Return whether its status is a success, and whether the connection stays open."""
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
