"""Receiving, storing and deleting uploaded images, also when something fails."""

import errno
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from blogsite.errors import BlogError, Forbidden, Invalid, MediaInUse, StorageFull, StorageUnavailable
from posts import services
from posts.media import imaging, storage
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


def uploaded(content: bytes = PNG) -> TemporaryUploadedFile:
    """Return a file as Django's parser of uploads makes it."""
    file = TemporaryUploadedFile("x.png", "image/png", len(content), None)
    file.write(content)
    file.seek(0)
    return file


@contextmanager
def received(actor: User, content: bytes = PNG) -> Iterator[uploads.Upload]:
    with uploaded(content) as file, uploads.received_upload(file, actor=actor) as upload:
        yield upload


def upload(actor: User, content: bytes = PNG) -> Media:
    with received(actor, content) as upload:
        return uploads.add_media(actor=actor, upload=upload).media


def test_files_without_a_row_are_deleted_at_the_end() -> None:
    delete_all()
    author = make_author()
    with received(author) as upload:
        assert stored() == set(upload.media.file_names)
    assert stored() == set()
    with pytest.raises(ZeroDivisionError), received(author):
        raise ZeroDivisionError
    assert stored() == set()


def test_the_later_of_two_equal_uploads_returns_the_first_row_and_leaves_no_files() -> None:
    delete_all()
    author = make_author()
    with received(author) as upload:
        with received(author) as earlier:
            first = uploads.add_media(actor=author, upload=earlier).media
        assert uploads.add_media(actor=author, upload=upload).media == first
    assert Media.objects.get() == first
    assert stored() == set(first.file_names)


def test_readers_may_not_upload() -> None:
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
def test_no_files_remain_after_the_storage_fails(
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


def test_files_are_synced_before_the_row_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    fsync = os.fsync

    def count_rows(handle: int) -> None:
        synced.append(Media.objects.count())
        fsync(handle)

    monkeypatch.setattr(os, "fsync", count_rows)
    media = upload(make_author())
    assert synced == [0] * 2 * len(media.file_names)


def test_files_are_deleted_when_the_transaction_is_rolled_back() -> None:
    delete_all()
    author = make_author()
    with received(author) as upload, transaction.atomic():
        uploads.add_media(actor=author, upload=upload)
        transaction.set_rollback(True)
    assert (stored(), Media.objects.count()) == (set(), 0)


def test_a_full_disk_during_the_conversion_is_storage_full(monkeypatch: pytest.MonkeyPatch) -> None:
    output = b'{"code": "storage_full", "message": ""}'
    process = subprocess.CompletedProcess([], 0, stdout=output)
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: process)
    with pytest.raises(StorageFull):
        upload(make_author())


def test_the_uploaded_file_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """The conversion reads the file that Django's parser has written; only converted files are written beside it."""
    file = uploaded()
    original = Path(file.temporary_file_path())
    before, programs, written = set(original.parent.iterdir()), [], {}
    run: Any = subprocess.run

    def observe(program: list[str], **options: Any) -> Any:
        programs.append(program)
        assert set(original.parent.iterdir()) - before == {Path(program[-1])}
        assert list(Path(program[-1]).iterdir()) == []
        process = run(program, **options)
        written.update({path.name: path.read_bytes() for path in Path(program[-1]).iterdir()})
        return process

    monkeypatch.setattr(subprocess, "run", observe)
    with file, uploads.received_upload(file, actor=make_author()):
        pass
    assert [program[-2] for program in programs] == [str(original)]
    assert set(written) == {"image", "320", "640"}
    assert set(original.parent.iterdir()) == before - {original}


@pytest.mark.parametrize("broken", ["slow", "killed"])
def test_a_conversion_that_times_out_or_dies_is_an_error(
    broken: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text("import os, time\n" + ("time.sleep(60)" if broken == "slow" else "os.kill(os.getpid(), 9)"))
    monkeypatch.setattr(imaging, "__file__", str(program))
    monkeypatch.setattr(uploads, "CONVERSION_TIMEOUT", 0.3 if broken == "slow" else 60)
    with pytest.raises(Invalid) as refused:
        upload(make_author())
    assert [error.code for error in refused.value.errors] == ["image_too_costly"]


def test_the_conversion_gets_an_empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
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
        """An image with its files, and files without a row: two old ones and a new one."""
        delete_all()
        media = make_media()
        for name in ("aa" + "0" * 30 + ".png", media.stem[:2] + "f" * 30 + "-320.webp", "bb" + "1" * 30 + ".jpg"):
            default_storage.save(storage.location(name), ContentFile(PNG))
        for name in stored() - {"bb" + "1" * 30 + ".jpg"}:
            long_ago = (timezone.now() - storage.MIN_ORPHAN_AGE - timedelta(minutes=1)).timestamp()
            os.utime(default_storage.path(storage.location(name)), (long_ago, long_ago))
        return media

    def sweep(self, *arguments: str) -> str:
        out = StringIO()
        call_command("sweep_media", *arguments, stdout=out)
        return out.getvalue()

    def test_deletes_old_files_without_a_row(self, files: Media) -> None:
        assert "Deleted 2 stored files" in self.sweep()
        assert stored() == {*files.file_names, "bb" + "1" * 30 + ".jpg"}
        assert "Deleted 0 stored files" in self.sweep()

    def test_a_dry_run_lists_the_files(self) -> None:
        before = stored()
        output = self.sweep("--dry-run")
        assert f"aa/{'aa' + '0' * 30}.png\n" in output
        assert "2 stored files and 0 temporary files would be deleted" in output
        assert stored() == before

    def test_keeps_other_files_and_deletes_misplaced_copies(self, files: Media) -> None:
        """A copy of an image's file in the wrong folder is deleted; the file itself is kept."""
        for place in (f"cc/{files.name}", "cc/notes.txt"):
            default_storage.save(place, ContentFile(PNG))
            os.utime(default_storage.path(place), (0, 0))
        assert "Deleted 3 stored files" in self.sweep()
        assert default_storage.exists(storage.location(files.name))
        assert default_storage.listdir("cc")[1] == ["notes.txt"]
        default_storage.delete("cc/notes.txt")

    def test_deletes_old_temporary_files(self, tmp_path: Path, settings: Any) -> None:
        settings.FILE_UPLOAD_TEMP_DIR = tmp_path
        for name in ("old", "new"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "upload").write_bytes(PNG)
        (tmp_path / "old.upload").write_bytes(PNG)
        for name in ("old", "old.upload"):
            os.utime(tmp_path / name, (0, 0))
        assert "and 2 temporary files" in self.sweep()
        assert {path.name for path in tmp_path.iterdir()} == {"new"}

    def test_accepts_an_empty_storage(self) -> None:
        delete_all()
        Media.objects.all().delete()
        assert "Deleted 0 stored files" in self.sweep()


def test_a_storage_without_a_folder_has_no_orphans(settings: Any, tmp_path: Path) -> None:
    options = {"location": tmp_path / "nothing"}
    backend = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "default": backend}
    assert list(storage.orphaned_files()) == []


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """Concurrent threads; on SQLite their writes wait for each other."""

    def test_an_image_is_either_chosen_as_a_cover_or_deleted(self) -> None:
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

    def test_equal_uploads_make_one_row(self) -> None:
        delete_all()
        author = make_author()
        assert at_once(*[partial(upload, author)] * 4) == [None] * 4
        assert stored() == set(Media.objects.get().file_names)


def at_once(*calls: Callable[[], object]) -> list[BlogError | None]:
    """Run the calls concurrently, and return the error that each of them raised."""
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
