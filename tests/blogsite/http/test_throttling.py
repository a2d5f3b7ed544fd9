"""What whoever fails often has to wait, the same whether it is counted in the process or in Redis."""

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
    """A throttle, a key that no other test counts, and the clock."""

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
        """Move the clock. Redis has one of its own, so there the keys are aged."""
        self.clock.shift(timedelta(seconds=seconds))
        for key in self._keys():
            assert self.client
            self.client.pexpire(key, max(0, int(self.client.pttl(key)) - round(seconds * 1000)))

    def fail(self, times: int, name: str = "key") -> None:
        """Count so many failures, each as soon as it may be."""
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


def test_then_each_failure_doubles_the_wait_up_to_a_quarter_of_an_hour(counting: Counting) -> None:
    counting.fail(FREE - 1)
    waits = []
    for _ in range(12):
        counting.fail(1)
        waits.append(counting.count()[0])
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, LONGEST_WAIT, LONGEST_WAIT]
    assert LONGEST_WAIT == 15 * 60


def test_the_wait_ends_when_it_said(counting: Counting) -> None:
    counting.fail(FREE + 3)
    assert counting.count() == (8, 0)
    counting.pass_seconds(7.5)
    assert counting.count() == (0.5, 0)
    counting.pass_seconds(0.5)
    assert counting.count() == (0, 0)


def test_who_tries_while_waiting_is_not_made_to_wait_longer(counting: Counting) -> None:
    for _ in range(FREE):
        counting.count()
    assert {counting.count() for _ in range(20)} == {(1, 0)}
    counting.pass_seconds(1)
    assert counting.count() == (0, 0)
    assert counting.count() == (2, 0)


def test_an_hour_after_the_last_failure_all_is_forgotten(counting: Counting) -> None:
    counting.fail(FREE + 9)
    counting.pass_seconds(MEMORY)
    assert [counting.count() for _ in range(FREE)] == [(0, 2), (0, 1), (0, 0)]
    assert MEMORY == 60 * 60


def test_until_then_nothing_is_forgotten(counting: Counting) -> None:
    for _ in range(FREE):
        counting.count()
        counting.pass_seconds(MEMORY - 60)
    assert counting.count() == (0, 0)
    assert counting.count() == (2, 0)


def test_what_is_undon_was_no_failure(counting: Counting) -> None:
    for _ in range(10 * FREE):
        assert counting.count() == (0, 2)
        counting.undo()
    assert [counting.count() for _ in range(FREE)] == [(0, 2), (0, 1), (0, 0)]


def test_forgiving_takes_one_failure_back_and_its_wait(counting: Counting) -> None:
    for _ in range(FREE):
        counting.count()
    assert counting.count() == (1, 0)
    counting.undo()
    assert counting.count() == (0, 0)
    assert counting.count() == (1, 0)


def test_what_was_not_counted_can_be_undon(counting: Counting) -> None:
    counting.undo()
    assert counting.count() == (0, 2)


def test_keys_are_counted_apart(counting: Counting) -> None:
    for _ in range(FREE):
        counting.count("one")
    assert counting.count("one") == (1, 0)
    assert counting.count("another") == (0, 2)
    counting.undo("another")
    assert counting.count("one") == (1, 0)


def test_each_key_has_its_own_free_failures(counting: Counting) -> None:
    assert [counting.count(free=1) for _ in range(2)] == [(0, 0), (1, 0)]
    assert [counting.count("patient", free=5) for _ in range(6)] == [(0, 4), (0, 3), (0, 2), (0, 1), (0, 0), (1, 0)]


def test_of_fifty_at_once_only_the_free_get_through(counting: Counting) -> None:
    together = threading.Barrier(50)

    def count(_: int) -> tuple[float, int]:
        together.wait()
        return counting.count("crowd", free=10)

    with ThreadPoolExecutor(50) as threads:
        verdicts = list(threads.map(count, range(50)))
    assert sorted(left for wait, left in verdicts if not wait) == list(range(10))
    assert [verdict for verdict in verdicts if verdict[0]] == [(1, 0)] * 40


def test_fifty_who_are_undon_at_once_leave_nothing(counting: Counting) -> None:
    together = threading.Barrier(50)

    def succeed(_: int) -> float:
        together.wait()
        wait, _ = counting.count("crowd", free=50)
        counting.undo("crowd", free=50)
        return wait

    with ThreadPoolExecutor(50) as threads:
        assert list(threads.map(succeed, range(50))) == [0] * 50
    assert counting.count("crowd", free=50) == (0, 49)


def test_whoever_fails_for_weeks_waits_no_longer(counting: Counting) -> None:
    counting.fail(1100)
    assert counting.count() == (LONGEST_WAIT, 0)
    counting.fail(1)
    assert counting.count() == (LONGEST_WAIT, 0)


def test_a_process_keeps_the_keys_that_failed_last() -> None:
    throttle = ProcessThrottle()
    for number in range(MAX_KEYS + 1):
        throttle.count(str(number), FREE)
    assert len(throttle._keys) == MAX_KEYS
    assert throttle.count(str(MAX_KEYS), FREE).remaining == FREE - 2
    assert throttle.count("0", FREE).remaining == FREE - 1


def test_a_cleared_process_has_counted_nothing() -> None:
    throttle = ProcessThrottle()
    for _ in range(FREE):
        throttle.count("key", FREE)
    throttle.clear()
    assert throttle.count("key", FREE) == (0, FREE - 1)


def test_without_a_redis_failures_are_counted_in_the_process() -> None:
    throttle = RedisThrottle(f"redis://127.0.0.1:{free_port()}")
    with time_machine.travel(START, tick=False):
        assert [throttle.count("key", FREE) for _ in range(FREE + 1)] == [(0, 2), (0, 1), (0, 0), (1, 0)]
    throttle._client.close()


class TestRedisThatGoesAway:
    def test_meanwhile_failures_are_counted_in_the_process(
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

    def test_a_redis_that_hangs_counts_as_gone(self, tmp_path: Path) -> None:
        with redis_server(tmp_path, free_port()) as url, redis_client(url) as client:
            throttle = RedisThrottle(url)
            throttle.count("key", FREE)
            client.client_pause(60_000)
            assert throttle.count("key", FREE) == (0, 2)
            throttle._client.close()


def test_limiters_on_one_redis_count_together(tmp_path: Path) -> None:
    with redis_server(tmp_path, free_port()) as url, time_machine.travel(START, tick=False):
        workers = [RedisThrottle(url) for _ in range(2)]
        assert [worker.count("key", FREE) for worker in workers * 2] == [(0, 2), (0, 1), (0, 0), (1, 0)]
        for worker in workers:
            worker._client.close()
