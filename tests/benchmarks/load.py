"""Generates the load: 32 connections that each send one request after the other, by wrk or by our own driver."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks import driver, workspace
from tests.benchmarks.http_request import HOST, NUMBER, Request

CONNECTIONS = 32
WARM_UP_SECONDS = 2
WRK = shutil.which("wrk")
PROGRAM = "wrk" if WRK else "our own driver (wrk is not installed)"

_REPORT = """
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\\nRESULT {"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "errors": %d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


class LoadFailed(Exception):
    """Under load, a server returned an error or did not answer."""


@dataclass(frozen=True)
class Measurement:
    """The requests per second, and the median and the 99th percentile of the latency in milliseconds."""

    rate: float
    p50: float
    p99: float


def warm_up(requests: Sequence[Request], *, port: int) -> None:
    """Let the server fill its pools and caches. Raises `LoadFailed` if a response is an error."""
    _load(requests, port, WARM_UP_SECONDS)


def measure(requests: Sequence[Request], *, port: int, seconds: float) -> Measurement:
    """Send the requests in turn, repeatedly, for this many seconds.

    Raises `LoadFailed` if a response is an error, or if there is no response.
    """
    # Measure again if there was no response: on a busy machine the server may have had no processor time.
    found = _load(requests, port, seconds) or _load(requests, port, seconds)
    if found is None:
        raise LoadFailed(f"There was no response within {seconds:g} seconds.")
    return found


def _load(requests: Sequence[Request], port: int, seconds: float) -> Measurement | None:
    if WRK:
        return _wrk(WRK, requests, port, seconds)
    latencies, errors, took = driver.drive(
        [request.raw(port) for request in requests], host=HOST, port=port, connections=CONNECTIONS, seconds=seconds
    )
    _raise_on_errors(errors, len(latencies))
    if not latencies:
        return None
    return Measurement(
        rate=len(latencies) / took,
        p50=latencies[len(latencies) // 2] * 1000,
        p99=latencies[int(len(latencies) * 0.99)] * 1000,
    )


def _wrk(program: str, requests: Sequence[Request], port: int, seconds: float) -> Measurement | None:
    with workspace.folder() as folder:
        script = folder / "load.lua"
        script.write_text(_script(requests, port))
        options = ["--connections", str(CONNECTIONS), "--threads", "1", "--duration", f"{max(1, round(seconds))}s"]
        command = [program, *options, "--timeout", "30s", "--script", str(script), f"http://{HOST}:{port}"]
        timeout = seconds + driver.GRACE_SECONDS
        output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout).stdout
    found = re.search(r"^RESULT (.*)$", output, re.MULTILINE)
    if found is None:
        raise LoadFailed(f"wrk reported nothing: {output}")
    result = json.loads(found[1])
    _raise_on_errors(result["errors"], result["requests"])
    if not result["requests"]:
        return None
    return Measurement(
        rate=result["requests"] / result["microseconds"] * 1e6, p50=result["p50"] / 1000, p99=result["p99"] / 1000
    )


def _raise_on_errors(errors: int, responses: int) -> None:
    if errors:
        raise LoadFailed(f"{errors} errors in {responses} responses: a status of 400 or above, or a broken connection.")


def _script(requests: Sequence[Request], port: int) -> str:
    """Return the script for wrk. It contains all requests, so that wrk itself needs little processor time."""
    if len(requests) == 1 and NUMBER in requests[0].body:
        before, after = map(_lua, requests[0].raw(port).split(NUMBER.encode()))
        next_request = f'return {before} .. string.format("%0{len(NUMBER)}d", n) .. {after}'
        return f"local n = 0\nrequest = function()\n  n = n + 1\n  {next_request}\nend\n{_REPORT}"
    lua_requests = ",\n".join(_lua(request.raw(port)) for request in requests)
    return (
        f"local requests = {{\n{lua_requests}\n}}\nlocal n = 0\n"
        f"request = function()\n  n = n % #requests + 1\n  return requests[n]\nend\n{_REPORT}"
    )


def _lua(text: bytes) -> str:
    return '"' + "".join(f"\\{byte:03d}" for byte in text) + '"'
