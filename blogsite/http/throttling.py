"""Throttling by failures: a key that fails too often has to wait, longer after each failure but never for ever.

The first `free` failures of a key cause no wait. Each one after them doubles the wait, from one second to 15 minutes.
The count of a key is deleted an hour after its last failure.
"""

import logging
import threading
import time
from typing import NamedTuple

from cachetools import LRUCache
from django.conf import settings

logger = logging.getLogger(__name__)

LONGEST_WAIT = 15 * 60
MEMORY = 60 * 60
MAX_KEYS = 100_000


class Verdict(NamedTuple):
    """The seconds that a key has to wait (0 if it may go on), and how many free failures remain."""

    wait: float
    remaining: int


class ProcessThrottle:
    """Counts in the memory of this process. Each worker counts only its own requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: LRUCache[str, tuple[int, float, float]] = LRUCache(MAX_KEYS)

    def count(self, key: str, free: int) -> Verdict:
        """Count a failure before the attempt, so that simultaneous attempts get no more chances than successive ones.

        While the key has to wait, nothing is counted.
        """
        now = time.time()
        with self._lock:
            failures, until, expires = self._keys.get(key, (0, 0.0, 0.0))
            if expires <= now:
                failures = 0
            elif until > now:
                return Verdict(until - now, 0)
            failures += 1
            wait = min(2.0 ** min(failures - free, 30), LONGEST_WAIT) if failures >= free else 0.0
            self._keys[key] = failures, now + wait, now + MEMORY
            return Verdict(0, max(0, free - failures))

    def undo(self, key: str, free: int) -> None:
        """Take one count back, after an attempt that did not fail."""
        with self._lock:
            failures, _, expires = self._keys.pop(key, (0, 0.0, 0.0))
            if failures > 1:
                self._keys[key] = failures - 1, 0.0, expires

    def clear(self) -> None:
        with self._lock:
            self._keys.clear()


class RedisThrottle:
    """Counts in Redis, for all workers of all machines. While Redis does not answer, counts in this process."""

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
    _UNDO = """
        local failures = tonumber(redis.call('HGET', KEYS[1], 'failures') or '0')
        if failures > 1 then redis.call('HSET', KEYS[1], 'failures', failures - 1, 'until', '0')
        else redis.call('DEL', KEYS[1]) end
    """

    def __init__(self, url: str) -> None:
        import redis

        self._client = redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)
        self._error = redis.RedisError
        self._count = self._client.register_script(self._COUNT)
        self._undo = self._client.register_script(self._UNDO)
        self._fallback = ProcessThrottle()

    def count(self, key: str, free: int) -> Verdict:
        try:
            wait, remaining = self._count(keys=[f"blogsite:{key}"], args=[time.time(), free, LONGEST_WAIT, MEMORY])
        except self._error as error:
            logger.warning("Redis does not answer, failures are counted in this process: %s", error)
            return self._fallback.count(key, free)
        return Verdict(float(wait), int(float(remaining)))

    def undo(self, key: str, free: int) -> None:
        try:
            self._undo(keys=[f"blogsite:{key}"])
        except self._error:
            self._fallback.undo(key, free)


Throttle = ProcessThrottle | RedisThrottle

throttle: Throttle = RedisThrottle(settings.REDIS_URL) if settings.REDIS_URL else ProcessThrottle()
