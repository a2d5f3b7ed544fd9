"""The files of uploaded images: their names, where they are stored, and how they are stored and deleted."""

import errno
import logging
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.utils import timezone

from blogsite.errors import StorageFull, StorageUnavailable
from posts.models import Media

EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif"}
CONTENT_TYPES = {extension: content_type for content_type, extension in EXTENSIONS.items()}
FILE_NAME = re.compile(rf"[0-9a-f]{{32}}(?:-\d{{1,5}})?\.({'|'.join(CONTENT_TYPES)})")
MIN_ORPHAN_AGE = timedelta(hours=1)
"""How old a file without a row must be to be an orphan: the row of a younger file may not be stored yet."""

logger = logging.getLogger(__name__)


def find_file(name: str) -> tuple[str, str] | None:
    """Return the location and the content type of a file of this name, or None if no media file has such a name."""
    match = FILE_NAME.fullmatch(name)
    return (location(name), CONTENT_TYPES[match[1]]) if match else None


def location(name: str) -> str:
    """Return the path of a file in the storage, which has 256 folders."""
    return f"{name[:2]}/{name}"


def has_files(media: Media) -> bool:
    """Return whether all files of an image are in the storage. Raises `StorageFull`, `StorageUnavailable`."""
    with _storage_errors():
        return all(default_storage.exists(location(name)) for name in media.file_names)


def store_files(sources: dict[str, Path]) -> None:
    """Store files under the given names and sync them to the disk, so that they survive a power cut.

    Raises `StorageFull`, `StorageUnavailable`.
    """
    with _storage_errors():
        for name, source in sources.items():
            with source.open("rb") as file:
                stored = default_storage.save(location(name), File(file))
            with suppress(NotImplementedError):  # the storage is not a file system
                _sync(default_storage.path(stored))


def delete_files(locations: Iterable[str]) -> None:
    """Delete files from the storage. Logs the files that cannot be deleted; missing files are ignored."""
    for path in locations:
        try:
            default_storage.delete(path)
        except Exception:  # `sweep_media` deletes it later
            logger.exception("The file %s could not be deleted.", path)


def orphaned_files() -> Iterator[str]:
    """Yield the locations of image files that belong to no row and are older than `MIN_ORPHAN_AGE`."""
    folders: list[str] = []
    with suppress(FileNotFoundError):  # the storage folder does not exist before the first upload
        folders = default_storage.listdir("")[0]
    for folder in sorted(folders):
        found = {f"{folder}/{name}" for name in default_storage.listdir(folder)[1] if FILE_NAME.fullmatch(name)}
        known: set[str] = set()
        for media in Media.objects.filter(name__startswith=folder).only("name", "variants"):
            known.update(map(location, media.file_names))
        for path in sorted(found - known):
            with suppress(FileNotFoundError):  # the file was deleted since the folder was listed
                if timezone.now() - default_storage.get_modified_time(path) > MIN_ORPHAN_AGE:
                    yield path


def orphaned_uploads() -> Iterator[Path]:
    """Yield the temporary files and folders older than `MIN_ORPHAN_AGE`, which uploads left behind in a crash."""
    for path in Path(settings.FILE_UPLOAD_TEMP_DIR).iterdir():
        with suppress(OSError):
            if timezone.now().timestamp() - path.stat().st_mtime > MIN_ORPHAN_AGE.total_seconds():
                yield path


@contextmanager
def _storage_errors() -> Iterator[None]:
    """Raise `StorageFull` or `StorageUnavailable` in place of any error that the storage raises."""
    try:
        yield
    except Exception as error:  # each storage has its own errors: OSError for a disk, botocore's for S3
        logger.exception("The storage of media files failed.")
        is_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise (StorageFull() if is_full else StorageUnavailable()) from error


def _sync(path: str) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
    if os.name == "posix":  # other systems cannot open a folder
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
