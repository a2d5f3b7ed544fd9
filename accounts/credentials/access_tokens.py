"""Access tokens: JWTs in the form of RFC 9068, verified as RFC 8725 requires."""

import hashlib
import secrets
import time
from functools import cache, lru_cache
from typing import NamedTuple

import jwt
from django.conf import settings

from accounts.models import Session
from blogsite.errors import Unauthenticated

ALGORITHM = "HS256"
TYPE = "at+jwt"
ISSUER = "blogsite"
AUDIENCE = "blogsite-api"
_jwt = jwt.PyJWT(options={"enforce_minimum_key_length": True})


class ForgedToken(Exception):
    """The token is not one that we issued, or cannot be read. A client that sends many of them is guessing."""


class Claims(NamedTuple):
    """The user and the session of an access token, and its expiry in Unix time."""

    user_id: int
    session_id: int
    expires: int


def issue(session: Session) -> tuple[str, int]:
    """Return a new access token of `session` and its lifetime in seconds. It does not outlive the session."""
    now = int(time.time())
    lifetime = min(settings.ACCESS_TOKEN_SECONDS, int(session.expires_at.timestamp()) - now)
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(session.user_id),
        "sid": str(session.pk),
        "iat": now,
        "exp": now + lifetime,
        "jti": secrets.token_urlsafe(12),
    }
    key_id, key = next(iter(_keys().items()))
    return _jwt.encode(claims, key, algorithm=ALGORITHM, headers={"typ": TYPE, "kid": key_id}), lifetime


def verify(token: str) -> Claims:
    """Return the claims of `token`. Raises `Unauthenticated` for an expired token, `ForgedToken` for a bad one."""
    try:
        claims = _read(token)
    except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
        raise ForgedToken from None
    if claims.expires <= time.time():
        raise Unauthenticated("The access token has expired.")
    return claims


@lru_cache(maxsize=4096)
def _read(token: str) -> Claims:
    """Verify everything but the expiry. The result can be cached, because a valid signature stays valid."""
    header = jwt.get_unverified_header(token)
    if header.get("typ") != TYPE:
        raise jwt.InvalidTokenError
    claims = _jwt.decode(
        token,
        _keys()[header["kid"]],
        algorithms=[ALGORITHM],
        issuer=ISSUER,
        audience=AUDIENCE,
        options={"require": ["iss", "aud", "sub", "sid", "iat", "exp", "jti"], "verify_exp": False},
    )
    return Claims(int(claims["sub"]), int(claims["sid"]), int(claims["exp"]))


@cache
def _keys() -> dict[str, str]:
    """The signing keys by key id. The first one signs; all of them verify."""
    return {hashlib.sha256(key.encode()).hexdigest()[:12]: key for key in settings.TOKEN_KEYS}
