"""API tokens, for site builds and scripts: `blog_`, 36 random characters and a checksum of 6 characters.

Secret scanners find a leaked token by the prefix. The checksum detects a typing mistake without a database query.
"""

import secrets
import string
import zlib
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import OperationalError
from django.utils import timezone

from accounts import security_log
from accounts.models import ApiToken, User, hash_token
from blogsite.errors import FieldError, Invalid, NotFound

PREFIX = "blog_"
SECRET_LENGTH = 36
CHECK_LENGTH = 6
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
USE_RESOLUTION = timedelta(hours=1)


def create_api_token(*, user: User, name: str, scope: str, expires_at: datetime | None = None) -> tuple[ApiToken, str]:
    """Store a new token, and return its row and the token itself. Raises `Invalid` if `expires_at` is in the past."""
    if expires_at is not None and expires_at <= timezone.now():
        raise Invalid(errors=[FieldError("#/expires_at", "in_the_past", "Must be in the future")])
    secret = "".join(secrets.choice(ALPHABET) for _ in range(SECRET_LENGTH))
    token = f"{PREFIX}{secret}{_checksum(secret)}"
    row = ApiToken.objects.create(
        user=user, name=name, scope=scope, token_hash=hash_token(token), hint=token[:9], expires_at=expires_at
    )
    security_log.record("api_token_created", user_id=user.pk, api_token_id=row.pk, scope=scope)
    return row, token


def delete_api_token(*, user: User, token_id: int) -> None:
    """Delete a token of the user. Raises `NotFound` if the user has no such token."""
    deleted, _ = ApiToken.objects.filter(user=user, pk=token_id).delete()
    if not deleted:
        raise NotFound("You have no such token.")
    security_log.record("api_token_deleted", user_id=user.pk, api_token_id=token_id)


def is_well_formed(token: str) -> bool:
    """Whether a string has the prefix, the length and the checksum of an API token."""
    secret, checksum = token[len(PREFIX) : -CHECK_LENGTH], token[-CHECK_LENGTH:]
    return token.startswith(PREFIX) and len(secret) == SECRET_LENGTH and _checksum(secret) == checksum


def use(token: str) -> ApiToken | None:
    """The row of a token with its user, or None for an unknown token. Updates `last_used_at` at most once an hour."""
    row = ApiToken.objects.select_related("user").defer("user__password").filter(token_hash=hash_token(token)).first()
    if row is not None and must_record_use(row):
        now = timezone.now()
        with suppress(OperationalError):  # the database is locked by another writer: a read must not fail for this
            ApiToken.objects.filter(pk=row.pk).update(last_used_at=now)
            row.last_used_at = now
    return row


def must_record_use(row: ApiToken) -> bool:
    """Whether the last recorded use is an hour old, or there is none."""
    return row.last_used_at is None or row.last_used_at <= timezone.now() - USE_RESOLUTION


def _checksum(secret: str) -> str:
    number = zlib.crc32(secret.encode())
    digits = ""
    for _ in range(CHECK_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
