"""Access tokens: their claims, and the tokens that are refused."""

import base64
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
import time_machine
from django.conf import settings as configured
from django.utils import timezone

from accounts.credentials import access_tokens
from accounts.models import Session
from blogsite.errors import Unauthenticated

SESSION = Session(pk=7, user_id=3, expires_at=timezone.now() + timedelta(days=30))
OTHER_KEY = "another key, as long as a good one is, but not ours"


@pytest.fixture
def keys(settings: Any) -> Iterator[list[str]]:
    """The signing keys, which the test may change. The cache of keys is cleared before and after."""
    settings.TOKEN_KEYS = keys = [*settings.TOKEN_KEYS]
    access_tokens._keys.cache_clear()
    yield keys
    access_tokens._keys.cache_clear()


def forge(*, key: str | None = None, algorithm: str = "HS256", header: Any = None, **claims: Any) -> str:
    """A token like ours, with changed claims and headers. None removes a claim or header."""
    genuine, _ = access_tokens.issue(SESSION)
    parts = {**jwt.decode(genuine, options={"verify_signature": False}), **claims}
    return jwt.encode(
        {name: value for name, value in parts.items() if value is not None},
        configured.TOKEN_KEYS[0] if key is None else key,
        algorithm=algorithm,
        headers={**jwt.get_unverified_header(genuine), **(header or {}), "alg": algorithm},
    )


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_a_token_names_its_user_and_its_session() -> None:
    for token in (access_tokens.issue(SESSION)[0], forge()):
        claims = access_tokens.verify(token)
        assert (claims.user_id, claims.session_id) == (3, 7)


def test_a_token_has_exactly_the_expected_claims() -> None:
    token, seconds = access_tokens.issue(SESSION)
    header, claims = jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})
    assert (header["typ"], header["alg"]) == ("at+jwt", "HS256")
    assert set(claims) == {"iss", "aud", "sub", "sid", "iat", "exp", "jti"}
    assert (claims["iss"], claims["aud"], claims["sub"], claims["sid"]) == ("blogsite", "blogsite-api", "3", "7")
    assert claims["exp"] - claims["iat"] == seconds == 600
    assert access_tokens.verify(token).expires == claims["exp"]


@time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False)
def test_a_token_does_not_outlive_its_session() -> None:
    session = Session(pk=7, user_id=3, expires_at=timezone.now() + timedelta(seconds=40))
    token, seconds = access_tokens.issue(session)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["iat"] == timezone.now().timestamp()
    assert claims["exp"] == session.expires_at.timestamp()
    assert seconds == 40


def test_no_two_tokens_are_equal() -> None:
    assert access_tokens.issue(SESSION) != access_tokens.issue(SESSION)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another-api"},
        {"iss": "another"},
        {"sub": "seven"},
        {"sub": ""},
        {"sub": 3},
        {"sid": "seven"},
        {"iat": "yesterday"},
        {"exp": "tomorrow"},
        *({name: None} for name in ("iss", "aud", "sub", "sid", "iat", "exp", "jti")),
        {"header": {"typ": "JWT"}},
        {"header": {"typ": "rt+jwt"}},
        {"header": {"typ": None}},
        {"header": {"kid": "unknown"}},
        {"key": OTHER_KEY},
        {"algorithm": "HS384"},
        {"algorithm": "none", "key": ""},
    ],
    ids=repr,
)
def test_a_token_with_one_wrong_property_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(access_tokens.ForgedToken):
        access_tokens.verify(forge(**changes))


def test_a_token_without_a_key_id_is_refused() -> None:
    token = jwt.encode({"sub": "7"}, configured.TOKEN_KEYS[0], headers={"typ": "at+jwt"})
    with pytest.raises(access_tokens.ForgedToken):
        access_tokens.verify(token)


def test_an_expired_token_is_refused_and_says_so() -> None:
    now = int(time.time())
    with pytest.raises(Unauthenticated, match="expired"):
        access_tokens.verify(forge(iat=now - 601, exp=now - 1))


def test_a_valid_token_expires() -> None:
    now = timezone.now()
    with time_machine.travel(now, tick=False) as clock:
        token, seconds = access_tokens.issue(SESSION)
        clock.move_to(now + timedelta(seconds=seconds - 1))
        assert access_tokens.verify(token).session_id == 7
        clock.move_to(now + timedelta(seconds=seconds))
        with pytest.raises(Unauthenticated, match="expired"):
            access_tokens.verify(token)


def test_the_lifetime_is_a_setting(settings: Any) -> None:
    settings.ACCESS_TOKEN_SECONDS = -1
    with pytest.raises(Unauthenticated, match="expired"):
        access_tokens.verify(access_tokens.issue(SESSION)[0])


def test_changed_claims_break_the_signature() -> None:
    header, claims, signature = access_tokens.issue(SESSION)[0].split(".")
    changed = json.loads(base64.urlsafe_b64decode(claims + "==")) | {"sid": "1"}
    with pytest.raises(access_tokens.ForgedToken):
        access_tokens.verify(f"{header}.{part(changed)}.{signature}")


def test_a_missing_signature_is_refused() -> None:
    with pytest.raises(access_tokens.ForgedToken):
        access_tokens.verify(access_tokens.issue(SESSION)[0].rpartition(".")[0] + ".")


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        ".",
        "..",
        "not.a.token",
        "é.ü.ß",
        "\udcff.a.b",
        "a" * 10_000,
        f"{part([])}.{part({})}.x",
        f"{part({'typ': 'at+jwt', 'alg': 'HS256', 'kid': []})}.{part({})}.x",
        f"{part({'typ': 'at+jwt', 'alg': 'HS256', 'kid': None})}.{part({})}.x",
        base64.urlsafe_b64encode(b"[" * 9_000).decode() + ".e30.x",
    ],
    ids=lambda text: ascii(text)[:30],
)
def test_garbage_is_refused(garbage: str) -> None:
    with pytest.raises(access_tokens.ForgedToken):
        access_tokens.verify(garbage)


def test_the_first_key_signs_and_all_keys_verify(keys: list[str]) -> None:
    before, _ = access_tokens.issue(SESSION)
    keys.insert(0, OTHER_KEY)
    access_tokens._keys.cache_clear()
    after, _ = access_tokens.issue(SESSION)
    assert access_tokens.verify(before).session_id == access_tokens.verify(after).session_id == 7
    jwt.decode(after, OTHER_KEY, algorithms=["HS256"], audience="blogsite-api")


def test_a_removed_key_no_longer_verifies(keys: list[str]) -> None:
    before, _ = access_tokens.issue(SESSION)
    keys[:] = [OTHER_KEY]
    access_tokens._keys.cache_clear()
    with pytest.raises(access_tokens.ForgedToken):
        access_tokens.verify(before)


def test_a_short_key_signs_nothing(keys: list[str]) -> None:
    keys[:] = ["short"]
    access_tokens._keys.cache_clear()
    with pytest.raises(jwt.InvalidKeyError):
        access_tokens.issue(SESSION)
