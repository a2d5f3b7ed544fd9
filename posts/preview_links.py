"""Preview links: signed, so that nothing is stored, and good until they expire."""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.core import signing
from django.utils import timezone

from blogsite.errors import NotFound

LIFETIME = timedelta(days=7)
_signer = signing.TimestampSigner(salt="posts.previews", sep=".")


class Preview(NamedTuple):
    """A link's token, and the time at which it ends."""

    token: str
    expires_at: datetime


def make(post_id: int) -> Preview:
    """A link to a post."""
    return Preview(_signer.sign(str(post_id)), timezone.now() + LIFETIME)


def read(token: str) -> int:
    """The id of the post that a token shows. Raises `NotFound` for one that is not ours, or has expired."""
    try:
        return int(_signer.unsign(token, max_age=LIFETIME))
    except (signing.BadSignature, ValueError):
        raise NotFound("The preview link is wrong, or has expired.") from None
