"""Issues and verifies access tokens like those of Blogsite with PyJWT, for the peers."""

import os
import secrets
import time

import jwt

_KEY = os.environ.get("BLOG_TOKEN_KEYS", "")
_ALGORITHM = "HS256"
_TYPE = "at+jwt"
_ISSUER = "blogsite"
_AUDIENCE = "blogsite-api"
_SECONDS = 600


def issue(user_id: int, *, key: str) -> str:
    """Return an access token for the user of this id."""
    now = int(time.time())
    claims = {
        "iss": _ISSUER,
        "aud": _AUDIENCE,
        "sub": str(user_id),
        "iat": now,
        "exp": now + _SECONDS,
        "jti": secrets.token_urlsafe(12),
    }
    return jwt.encode(claims, key, algorithm=_ALGORITHM, headers={"typ": _TYPE})


def verify(token: str) -> int:
    """Return the id of the user that the token was issued to. Raises `jwt.InvalidTokenError`."""
    decoded = jwt.decode_complete(
        token,
        _KEY,
        algorithms=[_ALGORITHM],
        issuer=_ISSUER,
        audience=_AUDIENCE,
        options={"require": ["iss", "aud", "sub", "iat", "exp", "jti"]},
    )
    if decoded["header"].get("typ") != _TYPE:
        raise jwt.InvalidTokenError("not an access token")
    return int(decoded["payload"]["sub"])
