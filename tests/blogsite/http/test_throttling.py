"""The counters of the throttle, which behave the same in the process and in Redis."""

import logging
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import redis
import time_machine

from blogsite.http.throttling import LONGEST_WAIT, MAX_KEYS, MEMORY, ProcessThrottle, RedisThrottle, Throttle
from tests.redis_server import answers, redis_client, redis_server
from tests.server import free_port

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
# Not REDIS_URL: it is a setting, and would move what all tests count.
REDIS = os.environ.get("BLOGSITE_TEST_REDIS", "redis://127.0.0.1:6379/9")
FREE = 3


class Counting:
    """A throttle with keys that no other test uses, and the clock."""

    def __init__(self, throttle: Throttle, client: redis.Redis | None, clock: time_machine.Traveller) -> None:
        self.throttle = throttle
        self.client = client
        self.clock = clock
        self.prefix = f"test:{uuid4()}"

    def key(self, name: str) -> str:
        return f"{self.prefix}:{name}"

    def count(self, name: str = "key", free: int = FREE) -> tuple[float, int]:
        wait, left = self.throttle.count(self.key(name), free)
        return round(wait, 2), left

    def undo(self, name: str = "key", free: int = FREE) -> None:
        self.throttle.undo(self.key(name), free)

    def pass_seconds(self, seconds: float) -> None:
        """Move the clock. Redis has its own clock, so there the expiry of the keys is shortened."""
        self.clock.shift(timedelta(seconds=seconds))
        for key in self._keys():
            assert self.client
            self.client.pexpire(key, max(0, int(self.client.pttl(key)) - round(seconds * 1000)))

    def fail(self, times: int, name: str = "key") -> None:
        """Count this number of failures, each as soon as it is allowed."""
        for _ in range(times):
            wait, _ = self.count(name)
            if wait:
                self.pass_seconds(wait)
                assert self.count(name)[0] == 0

    def close(self) -> None:
        for key in self._keys():
            assert self.client
            self.client.delete(key)

    def _keys(self) -> list[bytes]:
        return list(self.client.scan_iter(f"blogsite:{self.prefix}:*")) if self.client else []


@pytest.fixture(params=["process", "redis"])
def counting(request: pytest.FixtureRequest) -> Iterator[Counting]:
    with time_machine.travel(START, tick=False) as clock:
        if request.param == "process":
            yield Counting(ProcessThrottle(), None, clock)
            return
        with redis_client(REDIS) as client:
            if not answers(client):
                pytest.skip(f"No Redis answers at {REDIS}: start redis-server, or set BLOGSITE_TEST_REDIS.")
            throttle = RedisThrottle(REDIS)
            test = Counting(throttle, client, clock)
            yield test
            test.close()
            throttle._client.close()


def test_the_first_failures_are_free(counting: Counting) -> None:
    assert [counting.count() for _ in range(FREE)] == [(0, 2), (0, 1), (0, 0)]


def test_each_further_failure_doubles_the_wait_up_to_15_minutes(counting: Counting) -> None:
    counting.fail(FREE - 1)
    waits = []
    for _ in range(12):
        counting.fail(1)
        waits.append(counting.count()[0])
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, LONGEST_WAIT, LONGEST_WAIT]
    assert LONGEST_WAIT == 15 * 60


def test_the_wait_ends_after_the_given_seconds(counting: Counting) -> None:
    counting.fail(FREE + 3)
    assert counting.count() == (8, 0)
    counting.pass_seconds(7.5)
    assert counting.count() == (0.5, 0)
    counting.pass_seconds(0.5)
    assert counting.count() == (0, 0)


def test_attempts_during_the_wait_do_not_prolong_it(counting: Counting) -> None:
    for _ in range(FREE):
        counting.count()
    assert {counting.count() for _ in range(20)} == {(1, 0)}
    counting.pass_seconds(1)
    assert counting.count() == (0, 0)
    assert counting.count() == (2, 0)


def test_the_count_is_deleted_an_hour_after_the_last_failure(counting: Counting) -> None:
    counting.fail(FREE + 9)
    counting.pass_seconds(MEMORY)
    assert [counting.count() for _ in range(FREE)] == [(0, 2), (0, 1), (0, 0)]
    assert MEMORY == 60 * 60


def test_the_count_is_kept_for_less_than_an_hour(counting: Counting) -> None:
    for _ in range(FREE):
        counting.count()
        counting.pass_seconds(MEMORY - 60)
    assert counting.count() == (0, 0)
    assert counting.count() == (2, 0)


def test_undone_failures_are_not_counted(counting: Counting) -> None:
    for _ in range(10 * FREE):
        assert counting.count() == (0, 2)
        counting.undo()
    assert [counting.count() for _ in range(FREE)] == [(0, 2), (0, 1), (0, 0)]


def test_undo_removes_one_failure_and_its_wait(counting: Counting) -> None:
    for _ in range(FREE):
        counting.count()
    assert counting.count() == (1, 0)
    counting.undo()
    assert counting.count() == (0, 0)
    assert counting.count() == (1, 0)


def test_undo_without_a_count_does_nothing(counting: Counting) -> None:
    counting.undo()
    assert counting.count() == (0, 2)


def test_keys_are_counted_separately(counting: Counting) -> None:
    for _ in range(FREE):
        counting.count("one")
    assert counting.count("one") == (1, 0)
    assert counting.count("another") == (0, 2)
    counting.undo("another")
    assert counting.count("one") == (1, 0)


def test_each_key_has_its_own_free_failures(counting: Counting) -> None:
    assert [counting.count(free=1) for _ in range(2)] == [(0, 0), (1, 0)]
    assert [counting.count("patient", free=5) for _ in range(6)] == [(0, 4), (0, 3), (0, 2), (0, 1), (0, 0), (1, 0)]


def test_only_the_free_of_fifty_concurrent_attempts_succeed(counting: Counting) -> None:
    together = threading.Barrier(50)

    def count(_: int) -> tuple[float, int]:
        together.wait()
        return counting.count("crowd", free=10)

    with ThreadPoolExecutor(50) as threads:
        verdicts = list(threads.map(count, range(50)))
    assert sorted(left for wait, left in verdicts if not wait) == list(range(10))
    assert [verdict for verdict in verdicts if verdict[0]] == [(1, 0)] * 40


def test_fifty_concurrent_attempts_that_are_undone_leave_no_count(counting: Counting) -> None:
    together = threading.Barrier(50)

    def succeed(_: int) -> float:
        together.wait()
        wait, _ = counting.count("crowd", free=50)
        counting.undo("crowd", free=50)
        return wait

    with ThreadPoolExecutor(50) as threads:
        assert list(threads.map(succeed, range(50))) == [0] * 50
    assert counting.count("crowd", free=50) == (0, 49)


def test_the_wait_stays_at_its_maximum(counting: Counting) -> None:
    counting.fail(1100)
    assert counting.count() == (LONGEST_WAIT, 0)
    counting.fail(1)
    assert counting.count() == (LONGEST_WAIT, 0)


def test_a_process_keeps_the_most_recent_keys() -> None:
    throttle = ProcessThrottle()
    for number in range(MAX_KEYS + 1):
        throttle.count(str(number), FREE)
    assert len(throttle._keys) == MAX_KEYS
    assert throttle.count(str(MAX_KEYS), FREE).remaining == FREE - 2
    assert throttle.count("0", FREE).remaining == FREE - 1


def test_clear_deletes_all_counts() -> None:
    throttle = ProcessThrottle()
    for _ in range(FREE):
        throttle.count("key", FREE)
    throttle.clear()
    assert throttle.count("key", FREE) == (0, FREE - 1)


def test_failures_are_counted_in_the_process_without_redis() -> None:
    throttle = RedisThrottle(f"redis://127.0.0.1:{free_port()}")
    with time_machine.travel(START, tick=False):
        assert [throttle.count("key", FREE) for _ in range(FREE + 1)] == [(0, 2), (0, 1), (0, 0), (1, 0)]
    throttle._client.close()


class TestRedisOutage:
    def test_failures_are_counted_in_the_process_during_the_outage(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        port = free_port()
        throttle = RedisThrottle(f"redis://127.0.0.1:{port}")
        with caplog.at_level(logging.WARNING), time_machine.travel(START, tick=False):
            with redis_server(tmp_path, port):
                assert [throttle.count("key", FREE) for _ in range(FREE + 1)] == [(0, 2), (0, 1), (0, 0), (1, 0)]
                assert caplog.messages == []
            assert [throttle.count("key", FREE) for _ in range(FREE + 1)] == [(0, 2), (0, 1), (0, 0), (1, 0)]
            throttle.undo("key", FREE)
            assert throttle.count("key", FREE) == (0, 0)
            assert {record.levelname for record in caplog.records} == {"WARNING"}
            assert all("Redis does not answer" in message for message in caplog.messages)
            with redis_server(tmp_path, port):
                assert throttle.count("key", FREE) == (0, 2)
        throttle._client.close()

    def test_a_hanging_redis_counts_as_an_outage(self, tmp_path: Path) -> None:
        with redis_server(tmp_path, free_port()) as url, redis_client(url) as client:
            throttle = RedisThrottle(url)
            throttle.count("key", FREE)
            client.client_pause(60_000)
            assert throttle.count("key", FREE) == (0, 2)
            throttle._client.close()


def test_workers_with_one_redis_share_their_counts(tmp_path: Path) -> None:
    with redis_server(tmp_path, free_port()) as url, time_machine.travel(START, tick=False):
        workers = [RedisThrottle(url) for _ in range(2)]
        assert [worker.count("key", FREE) for worker in workers * 2] == [(0, 2), (0, 1), (0, 0), (1, 0)]
        for worker in workers:
            worker._client.close()
