"""Uses the tokens of sessions, and checks whether they are valid."""

from accounts.credentials import access_tokens
from accounts.credentials.sessions import TokenPair
from accounts.models import Session
from tests.client import Api, assert_problem


def refresh(api: Api, token: str, **headers: str) -> TokenPair:
    response = api.post("/auth/refresh", {"refresh_token": token}, **headers)
    assert response.status_code == 200, response.content
    assert response["Cache-Control"] == "private, no-store"
    answer = response.json()
    assert answer.pop("token_type") == "bearer"
    return TokenPair(**answer)


def assert_valid(api: Api, access_token: str) -> None:
    assert api.get("/users/me", Authorization=f"Bearer {access_token}").status_code == 200


def assert_ended(api: Api, *pairs: TokenPair) -> None:
    """Asserts that neither the access token nor the refresh token of each pair is valid."""
    for pair in pairs:
        assert_problem(api.get("/users/me", Authorization=f"Bearer {pair.access_token}"), 401, "unauthenticated")
        assert_problem(api.post("/auth/refresh", {"refresh_token": pair.refresh_token}), 401, "unauthenticated")


def session_of(pair: TokenPair) -> Session:
    return Session.objects.get(pk=access_tokens.verify(pair.access_token).session_id)
