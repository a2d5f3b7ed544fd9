"""The load: 32 connections that send one request after the other, by wrk or by our own driver."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks import driver, workplace
from tests.benchmarks.calls import HOST, NUMBER, Call

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
    """Under load, a server gave a wrong answer or none."""


@dataclass(frozen=True)
class Measurement:
    """Requests a second, and the median and the 99th percentile of the latency in milliseconds."""

    rate: float
    p50: float
    p99: float


def warm_up(calls: Sequence[Call], *, port: int) -> None:
    """Let the server fill its pools and caches before it is measured. Raises `LoadFailed` if an answer is an error."""
    _load(calls, port, WARM_UP_SECONDS)


def measure(calls: Sequence[Call], *, port: int, seconds: float) -> Measurement:
    """Send the calls in turn, again and again, for so many seconds.

    Raises `LoadFailed` if an answer is an error, or if none comes.
    """
    # A second chance: on a busy machine a server may have got no processor at all.
    found = _load(calls, port, seconds) or _load(calls, port, seconds)
    if found is None:
        raise LoadFailed(f"No answer came within {seconds:g} seconds.")
    return found


def _load(calls: Sequence[Call], port: int, seconds: float) -> Measurement | None:
    if WRK:
        return _wrk(WRK, calls, port, seconds)
    latencies, errors, took = driver.drive(
        [call.raw(port) for call in calls], host=HOST, port=port, connections=CONNECTIONS, seconds=seconds
    )
    _refuse(errors, len(latencies))
    if not latencies:
        return None
    return Measurement(
        rate=len(latencies) / took,
        p50=latencies[len(latencies) // 2] * 1000,
        p99=latencies[int(len(latencies) * 0.99)] * 1000,
    )


def _wrk(program: str, calls: Sequence[Call], port: int, seconds: float) -> Measurement | None:
    with workplace.folder() as folder:
        script = folder / "load.lua"
        script.write_text(_script(calls, port))
        options = ["--connections", str(CONNECTIONS), "--threads", "1", "--duration", f"{max(1, round(seconds))}s"]
        command = [program, *options, "--timeout", "30s", "--script", str(script), f"http://{HOST}:{port}"]
        timeout = seconds + driver.GRACE_SECONDS
        output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout).stdout
    found = re.search(r"^RESULT (.*)$", output, re.MULTILINE)
    if found is None:
        raise LoadFailed(f"wrk reported nothing: {output}")
    result = json.loads(found[1])
    _refuse(result["errors"], result["requests"])
    if not result["requests"]:
        return None
    return Measurement(
        rate=result["requests"] / result["microseconds"] * 1e6, p50=result["p50"] / 1000, p99=result["p99"] / 1000
    )


def _refuse(errors: int, answers: int) -> None:
    if errors:
        raise LoadFailed(f"{errors} errors among {answers} answers: a status from 400 up, or a connection that broke.")


def _script(calls: Sequence[Call], port: int) -> str:
    """The program for wrk: all requests are made beforehand, so that the load costs little while it runs."""
    if len(calls) == 1 and NUMBER in calls[0].body:
        before, after = map(_lua, calls[0].raw(port).split(NUMBER.encode()))
        next_request = f'return {before} .. string.format("%0{len(NUMBER)}d", n) .. {after}'
        return f"local n = 0\nrequest = function()\n  n = n + 1\n  {next_request}\nend\n{_REPORT}"
    requests = ",\n".join(_lua(call.raw(port)) for call in calls)
    return (
        f"local requests = {{\n{requests}\n}}\nlocal n = 0\n"
        f"request = function()\n  n = n % #requests + 1\n  return requests[n]\nend\n{_REPORT}"
    )


def _lua(text: bytes) -> str:
    return '"' + "".join(f"\\{byte:03d}" for byte in text) + '"'
