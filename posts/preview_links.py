"""Preview links, which show a post that is not public. They are signed and expire; nothing is stored."""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.core import signing
from django.utils import timezone

from blogsite.errors import NotFound

LIFETIME = timedelta(days=7)
_signer = signing.TimestampSigner(salt="posts.previews", sep=".")


class Preview(NamedTuple):
    """The token of a preview link, and the time at which it expires."""

    token: str
    expires_at: datetime


def make(post_id: int) -> Preview:
    """Return a preview link to a post."""
    return Preview(_signer.sign(str(post_id)), timezone.now() + LIFETIME)


def read(token: str) -> int:
    """Return the id of the post that a token shows. Raises `NotFound` if the token is invalid or has expired."""
    try:
        return int(_signer.unsign(token, max_age=LIFETIME))
    except (signing.BadSignature, ValueError):
        raise NotFound("The preview link is invalid or has expired.") from None
