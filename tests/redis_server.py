"""Starts a Redis server for a test."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

START_SECONDS = 30


def redis_client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=1)


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


@contextmanager
def redis_server(folder: Path, port: int) -> Iterator[str]:
    """Run a Redis server and yield its URL. Skips the test if Redis is not installed."""
    if shutil.which("redis-server") is None:
        pytest.skip("There is no redis-server here to start and stop: install Redis.")
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    url = f"redis://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process, redis_client(url) as client:
        deadline = time.monotonic() + START_SECONDS
        while not answers(client):
            assert time.monotonic() < deadline, "redis-server did not start"
            time.sleep(0.02)
        yield url
        process.kill()
