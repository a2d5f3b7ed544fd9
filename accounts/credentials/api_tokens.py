"""API tokens: keys for site builds and scripts. `blog_`, 36 random characters, and 6 that check the others.

The prefix lets scanners of leaked secrets find them, and the checksum tells a typing mistake without a question to
the database.
"""

import hashlib
import secrets
import string
import zlib
from datetime import datetime, timedelta

from django.db import OperationalError
from django.utils import timezone

from accounts import security_log
from accounts.models import ApiToken, User
from blogsite.errors import FieldError, Invalid, NotFound

PREFIX = "blog_"
SECRET_LENGTH = 36
CHECK_LENGTH = 6
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
USE_RESOLUTION = timedelta(hours=1)


def create_api_token(*, user: User, name: str, scope: str, expires_at: datetime | None = None) -> tuple[ApiToken, str]:
    """Store a new token; return it with its text, which is seen this once. Raises `Invalid` for a time in the past."""
    if expires_at is not None and expires_at <= timezone.now():
        raise Invalid(errors=[FieldError("#/expires_at", "in_the_past", "Must be in the future")])
    secret = "".join(secrets.choice(ALPHABET) for _ in range(SECRET_LENGTH))
    text = f"{PREFIX}{secret}{_checksum(secret)}"
    token = ApiToken.objects.create(
        user=user, name=name, scope=scope, token_hash=_hash(text), hint=text[:9], expires_at=expires_at
    )
    security_log.record("api_token_created", user_id=user.pk, api_token_id=token.pk, scope=scope)
    return token, text


def delete_api_token(*, user: User, token_id: int) -> None:
    """Delete a token of the user. Raises `NotFound`."""
    deleted, _ = ApiToken.objects.filter(user=user, pk=token_id).delete()
    if not deleted:
        raise NotFound("You have no such token.")
    security_log.record("api_token_deleted", user_id=user.pk, api_token_id=token_id)


def is_well_formed(text: str) -> bool:
    """Whether a text can be an API token."""
    secret, checksum = text[len(PREFIX) : -CHECK_LENGTH], text[-CHECK_LENGTH:]
    return text.startswith(PREFIX) and len(secret) == SECRET_LENGTH and _checksum(secret) == checksum


def use(text: str) -> ApiToken | None:
    """The token of this text with its user, or None. That it was used is written down at most once an hour."""
    token = ApiToken.objects.select_related("user").defer("user__password").filter(token_hash=_hash(text)).first()
    if token is None:
        return None
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at <= now - USE_RESOLUTION:
        try:
            ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
        except OperationalError:
            return token  # somebody else writes for long: a read need not fail for this
        token.last_used_at = now
    return token


def _checksum(secret: str) -> str:
    number = zlib.crc32(secret.encode())
    digits = ""
    for _ in range(CHECK_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
