"""The change detector for PostgreSQL."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection
from django.utils import timezone

from blogsite.db.change_detector import ChangeDetector, change_detector
from posts.models import Post
from posts.queries import NEXT_PUBLICATION
from tests.factories import make_post, make_scheduled

pytestmark = [
    pytest.mark.skipif(connection.vendor != "postgresql", reason="set DATABASE_URL to a PostgreSQL server"),
    pytest.mark.django_db(transaction=True),
]


def make_detector() -> ChangeDetector:
    return change_detector(next_change=NEXT_PUBLICATION)


async def wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - waits for another process
            await asyncio.sleep(0.01)


def test_a_commit_changes_the_version() -> None:
    async def scenario() -> None:
        detector = make_detector()
        assert detector.version() is None
        async with detector.lifespan():
            await wait_until(lambda: detector.version() is not None)
            post = await sync_to_async(make_post)()
            await asyncio.sleep(0.2)
            for change in (
                lambda: Post.objects.filter(pk=post.pk).update(title="Changed"),
                lambda: Post.objects.filter(pk=post.pk).delete(),
            ):
                before = detector.version()
                await asyncio.sleep(0.05)
                assert detector.version() == before
                await sync_to_async(change)()
                await wait_until(lambda before=before: detector.version() != before)  # type: ignore[misc]

    async_to_sync(scenario)()


def test_a_write_of_this_process_changes_the_version_at_once() -> None:
    async def scenario() -> None:
        detector = make_detector()
        async with detector.lifespan():
            await wait_until(lambda: detector.version() is not None)
            before = detector.version()
            detector.mark_changed()
            assert detector.version() != before

    async_to_sync(scenario)()


def test_without_its_connection_there_is_no_version(caplog: pytest.LogCaptureFixture) -> None:
    def cut_listeners() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE query LIKE 'LISTEN%%' AND datname = current_database()"
            )

    async def scenario() -> None:
        detector = make_detector()
        async with detector.lifespan():
            await wait_until(lambda: detector.version() is not None)
            before = detector.version()
            await sync_to_async(cut_listeners)()
            await wait_until(lambda: detector.version() is None)
            await wait_until(lambda: detector.version() is not None)
            assert detector.version() != before

    async_to_sync(scenario)()
    assert "Lost the connection" in caplog.text


def test_the_next_change_is_the_next_publication() -> None:
    async def scenario() -> None:
        detector = make_detector()
        now = timezone.now()
        assert await detector.next_change(now) is None
        post = await sync_to_async(make_scheduled)()
        assert await detector.next_change(now) == post.published_at
        assert await detector.next_change(now + timedelta(days=1)) is None

    async_to_sync(scenario)()
