"""Uploaded images: how they come in, where their files are, and what is deleted with them.

A row never lacks its files: they are stored before it, and deleted after it. What a crash leaves behind is files that
no row names: `orphans` finds them.
"""

import errno
import hashlib
import json
import logging
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import DatabaseError, transaction
from django.db.models import ProtectedError, QuerySet, Sum
from django.utils import timezone

from accounts.models import User
from blogsite.db.constraints import translate_integrity_errors
from blogsite.errors import (
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    MediaInUse,
    NotFound,
    QuotaExceeded,
    StorageFull,
    StorageUnavailable,
    TooLarge,
    UnsupportedMedia,
)
from posts import services
from posts.access import Access
from posts.media import imaging
from posts.models import Media, Post

MAX_UPLOAD_BYTES = 10 * 1024 * 1024
SECONDS_TO_CONVERT = 60
NAMED = 5
EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif"}
CONTENT_TYPES = {extension: content_type for content_type, extension in EXTENSIONS.items()}
FILE_NAME = re.compile(rf"[0-9a-f]{{32}}(?:-\d{{1,5}})?\.({'|'.join(CONTENT_TYPES)})")
SWEPT_AFTER = timedelta(hours=1)
"""How old a file without a row must be: the row of a younger one may be on its way."""

logger = logging.getLogger(__name__)


class _AlreadyThere(Conflict):
    """The same bytes by the same user, stored meanwhile by another request."""

    code, title = "media_already_there", "This file is there already"


_CONFLICTS: dict[str, type[Conflict]] = {
    "posts_media_author_sha256_unique": _AlreadyThere,
    "posts_media.author_id, posts_media.sha256": _AlreadyThere,
}


@dataclass
class Upload:
    """What came in: a row that is there already, or one to be stored, whose files are stored."""

    media: Media
    is_new: bool


@contextmanager
def received(file: UploadedFile[Any], *, actor: User) -> Iterator[Upload]:
    """Check an uploaded file and store it anew, without what it should not have; at the end delete what has no row.

    It takes seconds and needs no database: it belongs before a transaction, and never into one.
    Raises `Forbidden`, `TooLarge`, `QuotaExceeded`, `UnsupportedMedia`, `Invalid`, `StorageFull`, `StorageUnavailable`.
    """
    if not actor.has_perm("posts.add_media"):
        raise Forbidden("Your role does not allow this.")
    if not file.size:
        raise _invalid("file_empty", "The file is empty.")
    if file.size > MAX_UPLOAD_BYTES:
        raise TooLarge(f"A file may have at most {MAX_UPLOAD_BYTES // 1024**2} MiB.")
    with TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as name:
        folder = Path(name)
        digest = hashlib.sha256()
        with _storing(), (folder / "upload").open("wb") as copy:
            for chunk in file.chunks():
                digest.update(chunk)
                copy.write(chunk)
        stored = Media.objects.filter(author=actor, sha256=digest.hexdigest()).first()
        with _storing():
            is_there = stored and all(default_storage.exists(location(name)) for name in stored.file_names)
        if stored and is_there:
            yield Upload(stored, is_new=False)
            return
        made = _converted(folder)
        # A row whose files were lost gets them back.
        media = stored or Media(
            author=actor,
            name=f"{secrets.token_hex(16)}.{EXTENSIONS[made['content_type']]}",
            sha256=digest.hexdigest(),
            **made,
        )
        written = [folder / "image", *(folder / str(source.width) for source in media.sources)]
        sources = dict(zip(media.file_names, written, strict=True))
        if stored is None:
            media.bytes = sources[media.name].stat().st_size
            media.stored_bytes = sum(source.stat().st_size for source in sources.values())
            _require_space(actor, media.stored_bytes)
        try:
            with _storing():
                _store(sources)
            yield Upload(media, is_new=stored is None)
        finally:
            # Not by the key that the row got: its transaction may have failed since.
            with suppress(DatabaseError):
                if not Media.objects.filter(name=media.name).exists():
                    delete_files(map(location, sources))


def add_media(*, actor: User, upload: Upload, alt_text: str = "") -> Upload:
    """Store the row of what was `received`. Of the same bytes there is one row for each user: the first stays."""
    media = upload.media
    if not upload.is_new:
        return upload
    with transaction.atomic():
        _require_space(User.objects.select_for_update().only("pk").get(pk=actor.pk), media.stored_bytes)
        media.alt_text = alt_text
        try:
            with translate_integrity_errors(_CONFLICTS):
                media.save(force_insert=True)
        except _AlreadyThere:
            return Upload(Media.objects.get(author=actor, sha256=media.sha256), is_new=False)
    return upload


def update_media(*, actor: User, media_id: int, alt_text: str | None = None) -> Media:
    """Change what is said to those who do not see the image; None changes nothing. Raises `NotFound`, `Forbidden`."""
    with transaction.atomic():
        media = _seen(actor, media_id)
        if alt_text is not None:
            media.alt_text = alt_text
            media.save(update_fields=["alt_text"])
    return media


def delete_media(*, actor: User, media_id: int, force: bool = False) -> None:
    """Delete a row, and then its files. What posts use stays, but by `force`: those lose their cover image, each in a
    new version, and their texts keep the address.

    Raises `NotFound`, and `MediaInUse`.
    """
    with transaction.atomic():
        media = _seen(actor, media_id)
        users = Post.objects.using_media(media)
        if not force and users.exists():
            known = users.visible_to(Access.to_posts(actor)).order_by("pk").values_list("pk", flat=True)[:NAMED]
            raise MediaInUse(f"Posts use it{', with the ids ' if known else ''}{', '.join(map(str, known))}.")
        services.remove_cover_image(actor=actor, media=media)
        try:
            media.delete()
        except ProtectedError:
            raise MediaInUse("A post has just chosen it as its cover image.") from None
        transaction.on_commit(lambda: delete_files(map(location, media.file_names)))


def orphans() -> Iterator[str]:
    """Where in the storage there are files of images that no row names, and that are older than `SWEPT_AFTER`."""
    folders: list[str] = []
    with suppress(FileNotFoundError):  # nothing was ever stored
        folders = default_storage.listdir("")[0]
    for folder in sorted(folders):
        found = {f"{folder}/{name}" for name in default_storage.listdir(folder)[1] if FILE_NAME.fullmatch(name)}
        known: set[str] = set()
        for media in Media.objects.filter(name__startswith=folder).only("name", "variants"):
            known.update(map(location, media.file_names))
        for place in sorted(found - known):
            # A file may go meanwhile: then it is no orphan any more.
            with suppress(FileNotFoundError):
                if timezone.now() - default_storage.get_modified_time(place) > SWEPT_AFTER:
                    yield place


def left_behind() -> Iterator[Path]:
    """The temporary files and folders of uploads that a crash has ended, older than `SWEPT_AFTER`."""
    for path in Path(settings.FILE_UPLOAD_TEMP_DIR).iterdir():
        with suppress(OSError):
            if timezone.now().timestamp() - path.stat().st_mtime > SWEPT_AFTER.total_seconds():
                yield path


def find(name: str) -> tuple[str, str] | None:
    """Where in the storage a file of this name would be, and its type; None for what cannot be a name."""
    kind = FILE_NAME.fullmatch(name)
    return (location(name), CONTENT_TYPES[kind[1]]) if kind else None


def delete_files(places: Iterable[str]) -> None:
    """Delete the files that are there in the storage, as many as can be."""
    for place in places:
        try:
            default_storage.delete(place)
        except Exception:  # what stays is swept later
            logger.exception("The file %s could not be deleted.", place)


def location(name: str) -> str:
    """Where a file is in the storage: in one of 256 folders."""
    return f"{name[:2]}/{name}"


def _converted(folder: Path) -> dict[str, Any]:
    """Let a process of its own write the image anew. Raises `UnsupportedMedia` and `Invalid`."""
    program = [sys.executable, "-I", imaging.__file__, str(folder)]
    try:
        # No environment: the process that reads what non_sample_users sent needs none of our secrets.
        done = subprocess.run(program, env={}, capture_output=True, timeout=SECONDS_TO_CONVERT, check=True)  # noqa: S603
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        logger.warning("An image could not be read: %s", error)
        raise _invalid("image_too_costly", "The image takes too much time or memory to read.") from None
    made: dict[str, Any] = json.loads(done.stdout)
    if made.get("code") == "storage_full":
        raise StorageFull
    if made.get("code") == "image_type_unsupported":
        raise UnsupportedMedia(made["message"])
    if "code" in made:
        raise _invalid(made["code"], made["message"])
    return made


def _store(sources: dict[str, Path]) -> None:
    """Store the files so that they survive a power cut, as the row does that names them."""
    for name, source in sources.items():
        with source.open("rb") as file:
            stored = default_storage.save(location(name), File(file))
        with suppress(NotImplementedError):  # a storage that is no file system
            _sync(default_storage.path(stored))


@contextmanager
def _storing() -> Iterator[None]:
    """Turn what fails in here, of a disk or a storage, into `StorageFull` or `StorageUnavailable`."""
    try:
        yield
    except Exception as error:  # of which kind is the storage's own: a disk's OSError, a client's of S3
        logger.exception("A file could not be stored.")
        is_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise (StorageFull() if is_full else StorageUnavailable()) from error


def _sync(path: str) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _require_space(actor: User, wanted: int) -> None:
    quota = settings.MEDIA_QUOTA_BYTES
    used = Media.objects.filter(author=actor).aggregate(Sum("stored_bytes"))["stored_bytes__sum"] or 0
    if quota and used + wanted > quota:
        raise QuotaExceeded(f"Your files have {used} bytes, and may have at most {quota}.")


def _seen(actor: User, media_id: int) -> Media:
    found: QuerySet[Media] = Media.objects.visible_to(Access.to_media(actor))
    media = found.select_for_update().filter(pk=media_id).first()  # nobody chooses what is about to go
    if media is None:
        raise NotFound("There is no such file.")
    if not actor.has_perm("posts.change_media", media):
        raise Forbidden("Your role does not allow this.")
    return media


def _invalid(code: str, message: str) -> Invalid:
    return Invalid(errors=[FieldError("#/file", code, message)])
