"""Counts failures, and makes whoever fails often wait: longer each time, and never for good.

The first `free` failures of a key cost nothing. Each one after them doubles the wait, from a second to a quarter of
an hour. A key is forgotten an hour after its last failure.
"""

import logging
import threading
import time
from typing import NamedTuple, Protocol

from cachetools import LRUCache
from django.conf import settings

logger = logging.getLogger(__name__)

LONGEST_WAIT = 15 * 60
MEMORY = 60 * 60
MOST_KEYS = 100_000


class Verdict(NamedTuple):
    """What a key may do: how many seconds to wait (0: go on), and how many failures are free still."""

    wait: float
    left: int


class Limiter(Protocol):
    """Counts by key."""

    def count(self, key: str, free: int) -> Verdict:
        """Count a failure before it happens, so that a hundred at once are no better than one after the other.

        Nothing is counted while the key has to wait.
        """
        ...

    def forgive(self, key: str, free: int) -> None:
        """Take a count back: it was no failure."""
        ...


def wait_after(failures: int, free: int) -> float:
    """Seconds to wait after so many failures."""
    return min(2.0 ** min(failures - free, 30), LONGEST_WAIT) if failures >= free else 0.0


class ProcessLimiter:
    """Counts in this process: with N workers, each sees its part."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: LRUCache[str, tuple[int, float, float]] = LRUCache(MOST_KEYS)

    def count(self, key: str, free: int) -> Verdict:
        now = time.time()
        with self._lock:
            failures, until, forgotten = self._keys.get(key, (0, 0.0, 0.0))
            if forgotten <= now:
                failures = 0
            elif until > now:
                return Verdict(until - now, 0)
            failures += 1
            self._keys[key] = failures, now + wait_after(failures, free), now + MEMORY
            return Verdict(0, max(0, free - failures))

    def forgive(self, key: str, free: int) -> None:
        with self._lock:
            failures, _, forgotten = self._keys.get(key, (0, 0.0, 0.0))
            if failures > 1:
                self._keys[key] = failures - 1, 0.0, forgotten
            else:
                self._keys.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._keys.clear()


class RedisLimiter:
    """Counts in Redis, for all workers of all machines; while Redis does not answer, in this process."""

    _COUNT = """
        local now = tonumber(ARGV[1])
        local failures = tonumber(redis.call('HGET', KEYS[1], 'failures') or '0')
        local ends = tonumber(redis.call('HGET', KEYS[1], 'until') or '0')
        if ends > now then return {tostring(ends - now), '0'} end
        failures = failures + 1
        local free = tonumber(ARGV[2])
        local wait = 0
        if failures >= free then wait = math.min(2 ^ math.min(failures - free, 30), tonumber(ARGV[3])) end
        redis.call('HSET', KEYS[1], 'failures', failures, 'until', tostring(now + wait))
        redis.call('EXPIRE', KEYS[1], ARGV[4])
        return {'0', tostring(math.max(0, free - failures))}
    """
    _FORGIVE = """
        local failures = tonumber(redis.call('HGET', KEYS[1], 'failures') or '0')
        if failures > 1 then redis.call('HSET', KEYS[1], 'failures', failures - 1, 'until', '0')
        else redis.call('DEL', KEYS[1]) end
    """

    def __init__(self, url: str) -> None:
        import redis

        self._client = redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)
        self._error = redis.RedisError
        self._count = self._client.register_script(self._COUNT)
        self._forgive = self._client.register_script(self._FORGIVE)
        self._meanwhile = ProcessLimiter()

    def count(self, key: str, free: int) -> Verdict:
        try:
            wait, left = self._count(keys=[f"blogsite:{key}"], args=[time.time(), free, LONGEST_WAIT, MEMORY])
        except self._error as error:
            logger.warning("Redis does not answer, failures are counted in this process: %s", error)
            return self._meanwhile.count(key, free)
        return Verdict(float(wait), int(float(left)))

    def forgive(self, key: str, free: int) -> None:
        try:
            self._forgive(keys=[f"blogsite:{key}"])
        except self._error:
            self._meanwhile.forgive(key, free)


limiter: Limiter = RedisLimiter(settings.REDIS_URL) if settings.REDIS_URL else ProcessLimiter()
