"""Services that receive, store, change and delete uploaded images."""

import hashlib
import json
import logging
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.db import DatabaseError, transaction
from django.db.models import ProtectedError, Sum

from accounts.models import User
from blogsite.errors import (
    FieldError,
    Invalid,
    MediaInUse,
    NotFound,
    QuotaExceeded,
    StorageFull,
    TooLarge,
    UnsupportedMedia,
)
from posts import services
from posts.access import Access
from posts.media import imaging
from posts.media.storage import EXTENSIONS, delete_files, has_files, location, store_files
from posts.models import Media, Post

MAX_UPLOAD_BYTES = 10 * 1024 * 1024
CONVERSION_TIMEOUT = 60  # seconds
MAX_LISTED_POSTS = 5

logger = logging.getLogger(__name__)


@dataclass
class Upload:
    """A received image: an existing row, or a new one that is not stored yet but whose files are stored."""

    media: Media
    is_new: bool


@contextmanager
def received_upload(file: UploadedFile[Any], *, actor: User) -> Iterator[Upload]:
    """Check an uploaded file, convert it, and store the converted files; at the end, delete the files without a row.

    Call it outside a transaction: the conversion takes seconds.
    Raises `Forbidden`, `TooLarge`, `QuotaExceeded`, `UnsupportedMedia`, `Invalid`, `StorageFull`, `StorageUnavailable`.
    """
    services.require_permission(actor, "posts.add_media")
    if not file.size:
        raise _invalid("file_empty", "The file is empty.")
    if file.size > MAX_UPLOAD_BYTES:
        raise TooLarge(f"A file may have at most {MAX_UPLOAD_BYTES // 1024**2} MiB.")
    original = Path(cast("TemporaryUploadedFile", file).temporary_file_path())  # by FILE_UPLOAD_HANDLERS
    with original.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    stored = Media.objects.filter(author=actor, sha256=sha256).first()
    if stored and has_files(stored):
        yield Upload(stored, is_new=False)
        return
    with TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        converted = _convert(original, Path(folder))
        # If the files of a stored row were lost, they are stored again.
        media = stored or Media(
            author=actor,
            name=f"{secrets.token_hex(16)}.{EXTENSIONS[converted['content_type']]}",
            sha256=sha256,
            **converted,
        )
        written = [Path(folder, "image"), *(Path(folder, str(variant.width)) for variant in media.variant_files)]
        sources = dict(zip(media.file_names, written, strict=True))
        if stored is None:
            media.bytes = sources[media.name].stat().st_size
            media.stored_bytes = sum(source.stat().st_size for source in sources.values())
            _require_quota(actor, media.stored_bytes)
        try:
            store_files(sources)
            yield Upload(media, is_new=stored is None)
        finally:
            # Looks the row up by its name, not by its key: a row that got a key may have been rolled back since.
            with suppress(DatabaseError):
                if not Media.objects.filter(name=media.name).exists():
                    delete_files(map(location, sources))


def add_media(*, actor: User, upload: Upload, alt_text: str = "") -> Upload:
    """Store the row of a received upload. If the actor has uploaded the same bytes before, return the existing row.

    Raises `QuotaExceeded`.
    """
    media = upload.media
    if not upload.is_new:
        return upload
    with transaction.atomic():
        # The lock of the user's row makes other uploads of the same user wait.
        _require_quota(User.objects.select_for_update().only("pk").get(pk=actor.pk), media.stored_bytes)
        if stored := Media.objects.filter(author=actor, sha256=media.sha256).first():
            return Upload(stored, is_new=False)
        media.alt_text = alt_text
        media.save(force_insert=True)
    return upload


def update_media(*, actor: User, media_id: int, alt_text: str | None = None) -> Media:
    """Change the alternative text of an image; None keeps it. Raises `NotFound`, `Forbidden`."""
    with transaction.atomic():
        media = _locked(actor, media_id)
        if alt_text is not None:
            media.alt_text = alt_text
            media.save(update_fields=["alt_text"])
    return media


def delete_media(*, actor: User, media_id: int, force: bool = False) -> None:
    """Delete an image's row and then its files.

    With `force`, posts lose it as their cover image, each in a new version; URLs in their content stay. Without it, an
    image that a post uses is not deleted. Raises `NotFound`, `Forbidden`, `MediaInUse`.
    """
    with transaction.atomic():
        media = _locked(actor, media_id)
        posts = Post.objects.using_media(media)
        if not force and posts.exists():
            visible = posts.visible_to(Access.to_posts(actor)).order_by("pk")
            ids = visible.values_list("pk", flat=True)[:MAX_LISTED_POSTS]
            raise MediaInUse(f"Posts use it{', with the ids ' if ids else ''}{', '.join(map(str, ids))}.")
        services.remove_cover_image(actor=actor, media=media)
        try:
            media.delete()
        except ProtectedError:
            raise MediaInUse("A post has just chosen it as its cover image.") from None
        transaction.on_commit(lambda: delete_files(map(location, media.file_names)))


def _convert(original: Path, folder: Path) -> dict[str, Any]:
    """Convert an image in a separate process, which writes its files to `folder`; return the fields of the row.

    Raises `UnsupportedMedia`, `Invalid`, `StorageFull`.
    """
    program = [sys.executable, "-I", imaging.__file__, str(original), str(folder)]
    try:
        # An empty environment: the process that decodes untrusted input must not see our secrets.
        process = subprocess.run(program, env={}, capture_output=True, timeout=CONVERSION_TIMEOUT, check=True)  # noqa: S603 - our own program
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        logger.warning("An image could not be converted: %s", error)
        raise _invalid("image_too_costly", "The image takes too much time or memory to read.") from None
    converted: dict[str, Any] = json.loads(process.stdout)
    match converted.get("code"):
        case None:
            return converted
        case "storage_full":
            raise StorageFull
        case "image_type_unsupported":
            raise UnsupportedMedia(converted["message"])
        case code:
            raise _invalid(code, converted["message"])


def _require_quota(actor: User, added_bytes: int) -> None:
    quota = settings.MEDIA_QUOTA_BYTES
    used = Media.objects.filter(author=actor).aggregate(Sum("stored_bytes"))["stored_bytes__sum"] or 0
    if quota and used + added_bytes > quota:
        raise QuotaExceeded(f"Your files have {used} bytes, and may have at most {quota}.")


def _locked(actor: User, media_id: int) -> Media:
    """Return an image with its row locked, so that no post can choose it as a cover image meanwhile."""
    media = Media.objects.visible_to(Access.to_media(actor)).select_for_update().filter(pk=media_id).first()
    if media is None:
        raise NotFound("There is no such file.")
    services.require_permission(actor, "posts.change_media", media)
    return media


def _invalid(code: str, message: str) -> Invalid:
    return Invalid(errors=[FieldError("#/file", code, message)])
