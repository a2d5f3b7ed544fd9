"""Access tokens: JWTs as in RFC 9068, checked as RFC 8725 tells."""

import hashlib
import secrets
import time
from functools import cache, lru_cache

import jwt
from django.conf import settings

from accounts.models import User
from blogsite.errors import Unauthenticated

ALGORITHM = "HS256"
TYPE = "at+jwt"
ISSUER = "blogsite"
AUDIENCE = "blogsite-api"
_jwt = jwt.PyJWT(options={"enforce_minimum_key_length": True})


def issue(user: User) -> str:
    """Return an access token for `user`, good for `ACCESS_TOKEN_SECONDS`."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(user.pk),
        "iat": now,
        "exp": now + settings.ACCESS_TOKEN_SECONDS,
        "jti": secrets.token_urlsafe(12),
    }
    key_id, key = next(iter(_keys().items()))
    return _jwt.encode(claims, key, algorithm=ALGORITHM, headers={"typ": TYPE, "kid": key_id})


def verify(token: str) -> int:
    """Return the id of the user that `token` was issued to. Raises `Unauthenticated`."""
    try:
        user_id, expires = _read(token)
    except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
        raise Unauthenticated("The access token is not valid.") from None
    if expires <= time.time():
        raise Unauthenticated("The access token has expired.")
    return user_id


@lru_cache(maxsize=4096)
def _read(token: str) -> tuple[int, int]:
    """The user's id, and when the token ends. A signature that was good stays good: only the time is checked anew."""
    header = jwt.get_unverified_header(token)
    if header.get("typ") != TYPE:
        raise jwt.InvalidTokenError
    claims = _jwt.decode(
        token,
        _keys()[header["kid"]],
        algorithms=[ALGORITHM],
        issuer=ISSUER,
        audience=AUDIENCE,
        options={"require": ["iss", "aud", "sub", "iat", "exp", "jti"], "verify_exp": False},
    )
    return int(claims["sub"]), int(claims["exp"])


@cache
def _keys() -> dict[str, str]:
    """The keys by their ids: the first signs, and all verify."""
    return {hashlib.sha256(key.encode()).hexdigest()[:12]: key for key in settings.TOKEN_KEYS}
