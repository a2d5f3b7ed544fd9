"""Sessions: a refresh token is good once, and an old one that comes back ends them (RFC 9700, 4.14.2).

A refresh token is `<family>.<secret>`. The family is a secret itself, so whoever shows it has seen a token of the
session: with a secret that is not the newest, that is the use of an old token. Two tabs that refresh at once are no
thieves: for `GRACE` after a rotation, the token before the newest gives the same successor again.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone

from accounts import security_log
from accounts.credentials import access_tokens
from accounts.models import Session, User
from blogsite.errors import Unauthenticated

GRACE = timedelta(seconds=10)


class TokenPair(NamedTuple):
    """What a client keeps of a session."""

    access_token: str
    refresh_token: str
    expires_in: int


def start(user: User, *, user_agent: str = "", address: str | None = None) -> TokenPair:
    """Store a new session of `user`, and return its first tokens."""
    family = secrets.token_urlsafe(16)
    token = f"{family}.{secrets.token_urlsafe(32)}"
    session = Session.objects.create(
        user=user,
        family=family,
        token_hash=_hash(token),
        expires_at=timezone.now() + settings.SESSION_LIFETIME,
        user_agent=_storable(user_agent),
        address=address,
    )
    security_log.record("login", user_id=user.pk, session_id=session.pk, address=address)
    return _pair(session, token)


def refresh(token: str, *, user_agent: str = "", address: str | None = None) -> TokenPair:
    """Trade a refresh token for new tokens of its session.

    Raises `Unauthenticated` for a token that is unknown, too old, or used before; the last ends the session.
    """
    now = timezone.now()
    presented, successor = _hash(token), _successor(token)
    # One conditional UPDATE: of two that come at once, one rotates, and the other falls under the grace.
    rotated = Session.objects.current(now).filter(token_hash=presented)
    rotated.update(
        token_hash=_hash(successor),
        previous_hash=presented,
        rotated_at=now,
        last_used_at=now,
        user_agent=_storable(user_agent),
        address=address,
    )
    session = Session.objects.current(now).select_related("user").filter(family=_family(token)).first()
    if session is None or not session.user.is_active:
        raise Unauthenticated("The refresh token is not valid, or its session is over.")
    if session.previous_hash != presented or now - session.rotated_at > GRACE:
        end(session.user_id, session_id=session.pk)
        security_log.record("refresh_token_reused", user_id=session.user_id, session_id=session.pk, address=address)
        raise Unauthenticated("The refresh token was used before: its session has been ended.")
    return _pair(session, successor)


def end_by_token(token: str) -> None:
    """End the session of a refresh token, whether it is the newest or an old one; of an unknown one, nothing."""
    for session in Session.objects.filter(family=_family(token)).only("user"):
        end(session.user_id, session_id=session.pk)


def end(user_id: int, *, session_id: int | None = None, but: int | None = None) -> int:
    """End one session of a user, or all, or all `but` one. Returns how many ended."""
    sessions = Session.objects.filter(user=user_id)
    if but is not None:
        sessions = sessions.exclude(pk=but)
    if session_id is not None:
        sessions = sessions.filter(pk=session_id)
    ended, _ = sessions.delete()
    if ended:
        security_log.record("sessions_ended", user_id=user_id, session_id=session_id, count=ended)
    return ended


def purge() -> int:
    """Delete the sessions that are over by their age. Returns how many."""
    kept = Session.objects.current().values("pk")
    return Session.objects.exclude(pk__in=kept).delete()[0]


def _pair(session: Session, token: str) -> TokenPair:
    access_token, expires_in = access_tokens.issue(session)
    return TokenPair(access_token, token, expires_in)


def _storable(user_agent: str) -> str:
    return user_agent.replace("\x00", "")[:300]


def _family(token: str) -> str:
    return token.partition(".")[0]


def _successor(token: str) -> str:
    """The token that follows: the same each time it is asked for, and without our key nobody's to find."""
    secret = hmac.digest(settings.TOKEN_KEYS[0].encode(), b"blogsite.refresh:" + token.encode(), "sha256")
    return f"{_family(token)}.{urlsafe_b64encode(secret).decode().rstrip('=')}"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
