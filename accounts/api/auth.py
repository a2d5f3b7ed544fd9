"""The operations on accounts."""

from contextlib import nullcontext
from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Query, Router, Status

from accounts import services
from accounts.authentication import ADMIN, SESSION, USER, UserRequest
from accounts.credentials import api_tokens, sessions
from accounts.idempotency import done_once
from accounts.login_throttle import FailureThrottle, address_of
from accounts.models import ApiToken, ApiTokenQuerySet, Session, SessionQuerySet, User, UserQuerySet
from accounts.schemas import (
    AccountOut,
    AccountPage,
    ApiTokenCreate,
    ApiTokenCreated,
    ApiTokenOut,
    ApiTokenPage,
    Credentials,
    DeletionQuery,
    OwnAccountUpdate,
    PasswordChange,
    PasswordReset,
    PasswordResetRequest,
    RefreshToken,
    Registration,
    SessionPage,
    TokensOut,
    UserCreate,
    UserFilters,
    Username,
    UserUpdate,
)
from blogsite.db.compiled_queries import compiled
from blogsite.db.keyset import Order
from blogsite.errors import BadResetLink, Conflict, NotFound, WrongPassword
from blogsite.http.openapi import IDEMPOTENCY_KEY
from blogsite.http.pagination import Page, fetch_page
from blogsite.http.schemas import Id, PageQuery, problems

BY_ID = Order("id", keys=("id",))
NEWEST_FIRST = Order("-id", keys=("id",), descending=True)
LAST_USED_FIRST = Order("-last_used_at", keys=("last_used_at", "id"), descending=True)

auth = Router(tags=["auth"])
users = Router(tags=["users"], auth=ADMIN)


@auth.post("/register", response={201: AccountOut, **problems(403, 409, 429)}, summary="Make an account")
async def register(request: HttpRequest, payload: Registration) -> Status[AccountOut]:
    """The new user is a reader."""
    async with FailureThrottle("register", request, of=Conflict):
        user = await services.register_user(**payload.model_dump())
    return Status(201, AccountOut.model_validate(user))


@auth.post("/login", response={200: TokensOut, **problems(401, 429)}, summary="Log in")
async def login(request: HttpRequest, payload: Credentials) -> TokensOut:
    """Trade a name (or e-mail address) and a password for the tokens of a new session."""
    async with FailureThrottle("login", request, payload.username):
        return TokensOut.model_validate(await services.login(**payload.model_dump(), **_client(request)))


@auth.post("/refresh", response={200: TokensOut, **problems(401, 429)}, summary="Refresh a session")
async def refresh(request: HttpRequest, payload: RefreshToken) -> TokensOut:
    """Trade a refresh token for new tokens. It is good once: the use of an old one ends the session.

    For 10 seconds after it was used, the same answer can be had again: two tabs may refresh at once.
    """
    async with FailureThrottle("refresh", request):
        pair = await sync_to_async(sessions.refresh)(payload.refresh_token, **_client(request))
    return TokensOut.model_validate(pair)


@auth.post("/logout", response={204: None}, summary="Log out")
async def logout(request: HttpRequest, payload: RefreshToken) -> Status[None]:
    """End the session of a refresh token. Its access tokens are good for nothing from now on."""
    await sync_to_async(sessions.end_by_token)(payload.refresh_token)
    return Status(204, None)


@auth.get("/sessions", auth=SESSION, response={200: SessionPage, **problems(403)}, summary="List one's own sessions")
async def list_sessions(request: UserRequest, query: Query[PageQuery]) -> SessionPage:
    """The last used first."""
    page = await fetch_page(_sessions_of(request.auth.pk, timezone.now()), LAST_USED_FIRST, query)
    for session in page.items:
        session.is_current = session.pk == request.session_id
    return SessionPage.model_validate(page)


@auth.delete(
    "/sessions/{int:session_id}", auth=SESSION, response={204: None, **problems(403, 404)}, summary="End a session"
)
async def end_session(request: UserRequest, session_id: Path[Id]) -> Status[None]:
    """Somebody who lost a device logs it out from another."""
    if not await sync_to_async(sessions.end)(request.auth.pk, session_id=session_id):
        raise NotFound("You have no such session.")
    return Status(204, None)


@auth.delete("/sessions", auth=SESSION, response={204: None, **problems(403)}, summary="End all of one's sessions")
async def end_all_sessions(request: UserRequest) -> Status[None]:
    """This one, too."""
    await sync_to_async(sessions.end)(request.auth.pk)
    return Status(204, None)


@auth.post(
    "/password/change", auth=SESSION, response={204: None, **problems(403, 429)}, summary="Change one's own password"
)
async def change_password(request: UserRequest, payload: PasswordChange) -> Status[None]:
    """All other sessions end."""
    async with FailureThrottle("password", request, request.auth.pk, of=WrongPassword):
        await services.change_password(user=request.auth, session_id=request.session_id, **payload.model_dump())
    return Status(204, None)


@auth.post("/password/reset", response={202: None, **problems(429)}, summary="Ask for a new password")
async def request_password_reset(request: HttpRequest, payload: PasswordResetRequest) -> Status[None]:
    """A link is mailed to the address, if an active user has it. The answer is always the same."""
    async with FailureThrottle("reset", request, payload.email, always=True):
        await services.request_password_reset(email=payload.email)
    return Status(202, None)


@auth.post("/password/reset/confirm", response={204: None, **problems(429)}, summary="Set a new password by a link")
async def reset_password(request: HttpRequest, payload: PasswordReset) -> Status[None]:
    """With `uid` and `token` of the link that was mailed. All sessions end."""
    async with FailureThrottle("reset-link", request, of=BadResetLink):
        await services.reset_password(**payload.model_dump())
    return Status(204, None)


@auth.get("/tokens", auth=SESSION, response={200: ApiTokenPage, **problems(403)}, summary="List one's own API tokens")
async def list_api_tokens(request: UserRequest, query: Query[PageQuery]) -> Page[ApiToken]:
    """The newest first."""
    return await fetch_page(_tokens_of(request.auth.pk), NEWEST_FIRST, query)


@auth.post("/tokens", auth=SESSION, response={201: ApiTokenCreated, **problems(403)}, summary="Make an API token")
async def create_api_token(request: UserRequest, payload: ApiTokenCreate) -> Status[ApiTokenCreated]:
    """For a site build or a script: it stands for the caller until it is deleted. The text is shown this once."""
    make = sync_to_async(api_tokens.create_api_token)
    token, text = await make(user=request.auth, **payload.model_dump())
    return Status(201, ApiTokenCreated(**ApiTokenOut.model_validate(token).model_dump(), token=text))


@auth.delete(
    "/tokens/{int:token_id}", auth=SESSION, response={204: None, **problems(403, 404)}, summary="Delete an API token"
)
async def delete_api_token(request: UserRequest, token_id: Path[Id]) -> Status[None]:
    await sync_to_async(api_tokens.delete_api_token)(user=request.auth, token_id=token_id)
    return Status(204, None)


@users.get("", response={200: AccountPage, **problems(403)}, summary="List accounts")
async def list_users(request: UserRequest, filters: Query[UserFilters]) -> Page[User]:
    """In the order of their ids."""
    return await fetch_page(_accounts(filters.role, filters.is_active, filters.q), BY_ID, filters)


@users.post(
    "",
    response={201: AccountOut, **problems(403, 409)},
    summary="Make an account of any role",
    openapi_extra=IDEMPOTENCY_KEY,
)
async def create_user(request: UserRequest, payload: UserCreate) -> Status[AccountOut]:
    """With an `Idempotency-Key`, the same request can be sent again within 24 hours and gets the first answer."""
    create = await services.prepare_user(**payload.model_dump())
    return Status(201, await done_once(request, create, AccountOut))


@users.get("/me", auth=USER, response=AccountOut, summary="Read one's own account")
async def get_me(request: UserRequest) -> AccountOut:
    return AccountOut.model_validate(request.auth)


@users.patch(
    "/me", auth=USER, response={200: AccountOut, **problems(403, 409, 429)}, summary="Change one's own account"
)
async def update_me(request: UserRequest, payload: OwnAccountUpdate | None = None) -> AccountOut:
    """What is absent stays. Another `email` needs the `current_password`, and the old address is told."""
    changes = payload.model_dump(exclude_unset=True) if payload else {}
    password = changes.pop("current_password", None)
    throttle = FailureThrottle("password", request, request.auth.pk, of=WrongPassword)
    async with throttle if "email" in changes else nullcontext():
        user = await services.update_profile(user=request.auth, changes=changes, current_password=password)
    return AccountOut.model_validate(user)


@users.get(
    "/by-username/{username}", response={200: AccountOut, **problems(403, 404)}, summary="Find an account by name"
)
async def get_user_by_username(request: UserRequest, username: Path[Username]) -> AccountOut:
    """In any case of letters."""
    return AccountOut.model_validate(await User.objects.with_account().named(username).aget())


@users.get("/{int:user_id}", response={200: AccountOut, **problems(403, 404)}, summary="Read an account")
async def get_user(request: UserRequest, user_id: Path[Id]) -> AccountOut:
    return AccountOut.model_validate(await User.objects.with_account().aget(pk=user_id))


@users.patch("/{int:user_id}", response={200: AccountOut, **problems(403, 404, 409)}, summary="Change an account")
async def update_user(request: UserRequest, user_id: Path[Id], payload: UserUpdate | None = None) -> AccountOut:
    """What is absent stays. The last active admin can be neither demoted nor deactivated."""
    changes = payload.model_dump(exclude_unset=True) if payload else {}
    update = sync_to_async(services.update_user)
    return AccountOut.model_validate(await update(user_id=user_id, changes=changes, actor=request.auth))


@users.delete("/{int:user_id}", response={204: None, **problems(403, 404, 409)}, summary="Delete an account")
async def delete_user(request: UserRequest, user_id: Path[Id], query: Query[DeletionQuery]) -> Status[None]:
    """A user who has posts cannot be deleted, unless `reassign_to` takes them."""
    await sync_to_async(services.delete_user)(user_id=user_id, reassign_to=query.reassign_to)
    return Status(204, None)


@compiled
def _accounts(role: str | None, is_active: bool | None, q: str | None) -> UserQuerySet:
    return User.objects.with_account().matching(role=role, is_active=is_active, q=q)


@compiled
def _sessions_of(user_id: int, now: datetime) -> SessionQuerySet:
    return Session.objects.current(now).with_session().filter(user=user_id)


@compiled
def _tokens_of(user_id: int) -> ApiTokenQuerySet:
    return ApiToken.objects.with_token().filter(user=user_id)


def _client(request: HttpRequest) -> dict[str, Any]:
    """What a session remembers of its client."""
    return {"user_agent": request.headers.get("User-Agent", ""), "address": address_of(request)}
