"""Sessions and the rotation of their refresh tokens (RFC 9700, 4.14.2).

A refresh token can be used once; the use of an old one ends its session. A refresh token is `<family>.<secret>`. The
family is secret as well, so a client that presents it has seen a token of the session: with any secret but the newest,
that counts as the use of an old token. For `GRACE` after a rotation, the previous token still returns the same new
token, so that two tabs of one browser may refresh at the same time.
"""

import hmac
import secrets
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone

from accounts import security_log
from accounts.credentials import access_tokens
from accounts.models import Session, User, hash_token
from blogsite.errors import Unauthenticated

GRACE = timedelta(seconds=10)


class TokenPair(NamedTuple):
    """The tokens of a session, and the lifetime of the access token in seconds."""

    access_token: str
    expires_in: int
    refresh_token: str


def start(user: User, *, user_agent: str = "", address: str | None = None) -> TokenPair:
    """Store a new session of `user`, and return its first tokens."""
    family = secrets.token_urlsafe(16)
    token = f"{family}.{secrets.token_urlsafe(32)}"
    session = Session.objects.create(
        user=user,
        family=family,
        token_hash=hash_token(token),
        expires_at=timezone.now() + settings.SESSION_LIFETIME,
        user_agent=_storable(user_agent),
        address=address,
    )
    security_log.record("login", user_id=user.pk, session_id=session.pk, address=address)
    return TokenPair(*access_tokens.issue(session), token)


def refresh(token: str, *, user_agent: str = "", address: str | None = None) -> TokenPair:
    """Exchange a refresh token for new tokens of its session.

    Raises `Unauthenticated` for a token that is unknown, expired or already used. The last case ends the session.
    """
    now = timezone.now()
    presented, successor = hash_token(token), _successor(token)
    # One conditional UPDATE: of two requests at the same time, one rotates and the other one falls under `GRACE`.
    rotated = Session.objects.current(now).filter(token_hash=presented)
    rotated.update(
        token_hash=hash_token(successor),
        previous_hash=presented,
        rotated_at=now,
        last_used_at=now,
        user_agent=_storable(user_agent),
        address=address,
    )
    session = Session.objects.current(now).select_related("user").filter(family=_family(token)).first()
    if session is None or not session.user.is_active:
        raise Unauthenticated("The refresh token is not valid, or its session has ended.")
    if session.previous_hash != presented or now - session.rotated_at > GRACE:
        Session.objects.end(session.user_id, session_id=session.pk)
        security_log.record("refresh_token_reused", user_id=session.user_id, session_id=session.pk, address=address)
        raise Unauthenticated("The refresh token was used before: its session has ended.")
    return TokenPair(*access_tokens.issue(session), successor)


def end_by_token(token: str) -> None:
    """End the session of a refresh token, the newest or an older one. Does nothing for an unknown token."""
    for session in Session.objects.filter(family=_family(token)).only("user"):
        Session.objects.end(session.user_id, session_id=session.pk)


def purge() -> int:
    """Delete the rows of sessions that have ended by their age. Returns how many."""
    return Session.objects.exclude(pk__in=Session.objects.current().values("pk")).delete()[0]


def _storable(user_agent: str) -> str:
    return user_agent.replace("\x00", "")[:300]


def _family(token: str) -> str:
    return token.partition(".")[0]


def _successor(token: str) -> str:
    """The token that replaces `token`: always the same one, and unpredictable without our key."""
    secret = hmac.digest(settings.TOKEN_KEYS[0].encode(), b"blogsite.refresh:" + token.encode(), "sha256")
    return f"{_family(token)}.{urlsafe_b64encode(secret).decode().rstrip('=')}"
