"""Registration, login, and the tokens of sessions."""

from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from ninja import Router, Status

from accounts import services
from accounts.credentials import sessions
from accounts.credentials.sessions import TokenPair
from accounts.login_throttle import FailureThrottle, address_of
from accounts.models import User
from accounts.schemas import AccountOut, Credentials, RefreshToken, Registration, TokensOut
from blogsite.errors import Conflict
from blogsite.http.schemas import problems

router = Router(tags=["auth"])


@router.post("/register", response={201: AccountOut, **problems(403, 409, 429)}, summary="Register an account")
async def register(request: HttpRequest, response: HttpResponse, payload: Registration) -> Status[User]:
    """Creates an account with the role `reader`."""
    async with FailureThrottle("register", request, exceptions=Conflict, response=response):
        user = await services.register_user(**payload.model_dump())
    return Status(201, user)


@router.post("/login", response={200: TokensOut, **problems(401, 429)}, summary="Log in")
async def login(request: HttpRequest, response: HttpResponse, payload: Credentials) -> TokenPair:
    """Starts a session with a username (or an e-mail address) and a password, and returns its tokens."""
    async with FailureThrottle("login", request, payload.username, response=response):
        return await services.login(**payload.model_dump(), **_client(request))


@router.post("/refresh", response={200: TokensOut, **problems(401, 429)}, summary="Refresh a session")
async def refresh(request: HttpRequest, response: HttpResponse, payload: RefreshToken) -> TokenPair:
    """Exchanges a refresh token for new tokens. A refresh token can be used once; using an old one ends the session.

    For 10 seconds after its use, a refresh token still returns the same new refresh token, so that two browser tabs
    may refresh at the same time.
    """
    async with FailureThrottle("refresh", request, response=response):
        return await sync_to_async(sessions.refresh)(payload.refresh_token, **_client(request))


@router.post("/logout", response={204: None}, summary="Log out")
async def logout(request: HttpRequest, payload: RefreshToken) -> Status[None]:
    """Ends the session of a refresh token. Its access tokens are no longer valid."""
    await sync_to_async(sessions.end_by_token)(payload.refresh_token)
    return Status(204, None)


def _client(request: HttpRequest) -> dict[str, Any]:
    """The properties of the client that are stored with its session."""
    return {"user_agent": request.headers.get("User-Agent", ""), "address": address_of(request)}
