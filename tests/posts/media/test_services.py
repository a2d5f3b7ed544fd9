"""What happens to files when something goes wrong."""

import errno
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from blogsite.errors import BlogError, Forbidden, Invalid, MediaInUse, StorageFull, StorageUnavailable
from posts import services
from posts.media import imaging
from posts.media import services as uploads
from posts.models import Media
from tests.factories import make_author, make_media, make_post, make_user
from tests.images import image_bytes

pytestmark = pytest.mark.django_db

PNG = image_bytes("PNG", (640, 480))


@pytest.fixture(autouse=True)
def no_files() -> Iterator[None]:
    yield
    delete_all()


def delete_all() -> None:
    for path in Path(default_storage.path("")).rglob("*.*"):
        path.unlink()


def stored() -> set[str]:
    root = Path(default_storage.path(""))
    return {path.name for path in root.rglob("*.*")} if root.exists() else set()


def upload(actor: User, content: bytes = PNG) -> Media:
    with uploads.received(SimpleUploadedFile("x.png", content), actor=actor) as received:
        return uploads.add_media(actor=actor, upload=received).media


def test_files_without_a_row_are_deleted_at_the_end() -> None:
    delete_all()
    author = make_author()
    with uploads.received(SimpleUploadedFile("x.png", PNG), actor=author) as received:
        assert stored() == set(received.media.file_names)
    assert stored() == set()
    with pytest.raises(ZeroDivisionError), uploads.received(SimpleUploadedFile("x.png", PNG), actor=author):
        raise ZeroDivisionError
    assert stored() == set()


def test_who_was_overtaken_gets_the_first_row_and_leaves_no_files() -> None:
    delete_all()
    author = make_author()
    with uploads.received(SimpleUploadedFile("x.png", PNG), actor=author) as received:
        first = upload(author)
        assert uploads.add_media(actor=author, upload=received).media == first
    assert Media.objects.get() == first
    assert stored() == set(first.file_names)


def test_nobody_but_writers_has_anything_read() -> None:
    with pytest.raises(Forbidden):
        upload(make_user())


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "full"), StorageFull),
        (OSError(errno.EDQUOT, "full"), StorageFull),
        (OSError(errno.EIO, "broken"), StorageUnavailable),
        (RuntimeError("no answer"), StorageUnavailable),
    ],
)
def test_a_storage_that_fails_midway_keeps_nothing(
    error: Exception, expected: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    delete_all()
    save, calls = default_storage.save, []

    def fail_second(name: str, content: Any) -> str:
        calls.append(name)
        if len(calls) == 2:
            raise error
        return save(name, content)

    monkeypatch.setattr(default_storage, "save", fail_second)
    with pytest.raises(expected):
        upload(make_author())
    assert (len(calls), stored(), Media.objects.count()) == (2, set(), 0)


def test_files_are_written_to_the_disk_before_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    fsync = os.fsync

    def count_rows(handle: int) -> None:
        synced.append(Media.objects.count())
        fsync(handle)

    monkeypatch.setattr(os, "fsync", count_rows)
    media = upload(make_author())
    assert synced == [0] * 2 * len(media.file_names)


def test_files_go_when_the_transaction_of_the_row_fails_after_all() -> None:
    delete_all()
    author = make_author()
    with uploads.received(SimpleUploadedFile("x.png", PNG), actor=author) as received, transaction.atomic():
        uploads.add_media(actor=author, upload=received)
        transaction.set_rollback(True)
    assert (stored(), Media.objects.count()) == (set(), 0)


@pytest.mark.parametrize("where", ["write_bytes", "chunks"])
def test_a_full_disk_is_no_fault_of_the_image(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if where == "chunks":

        def full(*args: Any) -> Any:
            raise OSError(errno.ENOSPC, "full")

        monkeypatch.setattr(SimpleUploadedFile, "chunks", full)
    else:
        answer = b'{"code": "storage_full", "message": ""}'
        done = subprocess.CompletedProcess([], 0, stdout=answer)
        monkeypatch.setattr(subprocess, "run", lambda *args, **options: done)
    with pytest.raises(StorageFull):
        upload(make_author())


@pytest.mark.parametrize("broken", ["slow", "killed"])
def test_a_program_that_does_not_come_to_its_end_is_a_refusal(
    broken: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text("import os, time\n" + ("time.sleep(60)" if broken == "slow" else "os.kill(os.getpid(), 9)"))
    monkeypatch.setattr(imaging, "__file__", str(program))
    monkeypatch.setattr(uploads, "SECONDS_TO_CONVERT", 0.3 if broken == "slow" else 60)
    with pytest.raises(Invalid) as refused:
        upload(make_author())
    assert [error.code for error in refused.value.errors] == ["image_too_costly"]


def test_the_program_sees_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    environments: list[Any] = []
    run: Any = subprocess.run

    def noted(*args: Any, **options: Any) -> Any:
        environments.append(options["env"])
        return run(*args, **options)

    monkeypatch.setattr(subprocess, "run", noted)
    upload(make_author())
    assert environments == [{}]


class TestSweep:
    @pytest.fixture(autouse=True)
    def files(self) -> Media:
        """A row with its files, beside files that no row has: old ones, and one of just now."""
        delete_all()
        media = make_media()
        for name in ("aa" + "0" * 30 + ".png", media.stem[:2] + "f" * 30 + "-320.webp", "bb" + "1" * 30 + ".jpg"):
            default_storage.save(uploads.location(name), SimpleUploadedFile("x", PNG))
        for name in stored() - {"bb" + "1" * 30 + ".jpg"}:
            long_ago = (timezone.now() - uploads.SWEPT_AFTER - timedelta(minutes=1)).timestamp()
            os.utime(default_storage.path(uploads.location(name)), (long_ago, long_ago))
        return media

    def sweep(self, *arguments: str) -> str:
        out = StringIO()
        call_command("sweep_media", *arguments, stdout=out)
        return out.getvalue()

    def test_deletes_what_is_old_and_has_no_row(self, files: Media) -> None:
        assert "Deleted 2 files" in self.sweep()
        assert stored() == {*files.file_names, "bb" + "1" * 30 + ".jpg"}
        assert "Deleted 0 files" in self.sweep()

    def test_a_dry_run_names_them(self) -> None:
        before = stored()
        output = self.sweep("--dry-run")
        assert f"aa/{'aa' + '0' * 30}.png\n" in output
        assert "2 files have no row" in output
        assert stored() == before

    def test_what_is_no_file_of_an_image_stays_and_nothing_else_is_deleted(self, files: Media) -> None:
        """A copy in a folder where it does not belong is swept from there: the file of the row stays."""
        for place in (f"cc/{files.name}", "cc/notes.txt"):
            default_storage.save(place, SimpleUploadedFile("x", PNG))
            os.utime(default_storage.path(place), (0, 0))
        assert "Deleted 3 files" in self.sweep()
        assert default_storage.exists(uploads.location(files.name))
        assert default_storage.listdir("cc")[1] == ["notes.txt"]
        default_storage.delete("cc/notes.txt")

    def test_temporary_files_that_a_crash_left_are_deleted(self, tmp_path: Path, settings: Any) -> None:
        settings.FILE_UPLOAD_TEMP_DIR = tmp_path
        for name in ("old", "new"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "upload").write_bytes(PNG)
        (tmp_path / "old.upload").write_bytes(PNG)
        for name in ("old", "old.upload"):
            os.utime(tmp_path / name, (0, 0))
        assert "and 2 temporary ones" in self.sweep()
        assert {path.name for path in tmp_path.iterdir()} == {"new"}

    def test_an_empty_storage_is_fine(self) -> None:
        delete_all()
        Media.objects.all().delete()
        assert "Deleted 0 files" in self.sweep()


def test_a_storage_that_was_never_written_to_is_empty(settings: Any, tmp_path: Path) -> None:
    options = {"location": tmp_path / "nothing"}
    backend = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "default": backend}
    assert list(uploads.orphans()) == []


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """Threads that really run at once; on SQLite their writes queue."""

    def test_a_cover_image_is_chosen_or_deleted_and_never_half_of_each(self) -> None:
        author = make_author()
        for _ in range(15):
            media, post = make_media(author=author), make_post(author=author)
            chosen, deleted = at_once(
                partial(services.update_post, actor=author, post_id=post.pk, changes={"cover_image_id": media.pk}),
                partial(uploads.delete_media, actor=author, media_id=media.pk),
            )
            post.refresh_from_db()
            assert post.cover_image_id == (None if chosen else media.pk)
            assert [type(chosen), type(deleted)] in ([Invalid, type(None)], [type(None), MediaInUse])

    def test_equal_uploads_are_one_row(self) -> None:
        delete_all()
        author = make_author()
        assert at_once(*[partial(upload, author)] * 4) == [None] * 4
        assert stored() == set(Media.objects.get().file_names)


def at_once(*calls: Callable[[], object]) -> list[BlogError | None]:
    """Run the calls in threads that start together, and return what each of them raised."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> BlogError | None:
        start.wait()
        try:
            call()
        except BlogError as error:
            return error
        finally:
            connection.close()
        return None

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))
