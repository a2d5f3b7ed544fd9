"""Accounts: the caller's own, and all of them for admins."""

from contextlib import nullcontext

from asgiref.sync import sync_to_async
from django.http import HttpResponse
from ninja import Path, Query, Router, Status

from accounts import queries, services
from accounts.authentication import ADMIN, USER, UserRequest
from accounts.idempotency import done_once
from accounts.login_throttle import FailureThrottle
from accounts.models import User
from accounts.schemas import (
    AccountOut,
    AccountPage,
    DeletionQuery,
    OwnAccountUpdate,
    UserCreate,
    UserFilters,
    Username,
    UserUpdate,
)
from blogsite.errors import WrongPassword
from blogsite.http.openapi import IDEMPOTENCY_KEY
from blogsite.http.pagination import Page, fetch_page
from blogsite.http.schemas import Id, problems

router = Router(tags=["users"], auth=ADMIN)


@router.get("", response={200: AccountPage, **problems(403)}, summary="List accounts")
async def list_users(request: UserRequest, filters: Query[UserFilters]) -> Page[User]:
    """Lists the accounts that match every given filter, ordered by id."""
    return await fetch_page(queries.users(filters.role, filters.is_active, filters.q), queries.USERS_BY_ID, filters)


@router.post(
    "", response={201: AccountOut, **problems(403, 409)}, summary="Create an account", openapi_extra=IDEMPOTENCY_KEY
)
async def create_user(request: UserRequest, payload: UserCreate) -> Status[AccountOut]:
    """Creates an account with any role. With an `Idempotency-Key`, a request can be repeated within 24 hours and gets
    the first response."""
    create = await services.prepare_user(**payload.model_dump())
    return Status(201, await done_once(request, create, AccountOut))


@router.get("/me", auth=USER, response=AccountOut, summary="Read your account")
async def get_me(request: UserRequest) -> User:
    """Returns the caller's account."""
    return request.auth


@router.patch("/me", auth=USER, response={200: AccountOut, **problems(403, 409, 429)}, summary="Change your account")
async def update_me(request: UserRequest, response: HttpResponse, payload: OwnAccountUpdate | None = None) -> User:
    """Changes the given fields of the caller's account. A new `email` needs the `current_password`, and the old address
    gets a mail."""
    changes = payload.model_dump(exclude_unset=True) if payload else {}
    password = changes.pop("current_password", None)
    failures = FailureThrottle("password", request, request.auth.pk, response=response, exceptions=WrongPassword)
    async with failures if "email" in changes else nullcontext():
        user = await services.update_profile(user=request.auth, changes=changes, current_password=password)
    return user


@router.get(
    "/by-username/{username}", response={200: AccountOut, **problems(403, 404)}, summary="Find an account by username"
)
async def get_user_by_username(request: UserRequest, username: Path[Username]) -> User:
    """Returns the account with this username, whatever its letter case."""
    return await queries.user_by_username(username).aget()


@router.get("/{int:user_id}", response={200: AccountOut, **problems(403, 404)}, summary="Read an account")
async def get_user(request: UserRequest, user_id: Path[Id]) -> User:
    """Returns the account with this id."""
    return await queries.user_by_id(user_id).aget()


@router.patch("/{int:user_id}", response={200: AccountOut, **problems(403, 404, 409)}, summary="Change an account")
async def update_user(request: UserRequest, user_id: Path[Id], payload: UserUpdate | None = None) -> User:
    """Changes the given fields of an account. The last active admin can be neither demoted nor deactivated."""
    changes = payload.model_dump(exclude_unset=True) if payload else {}
    update = sync_to_async(services.update_user)
    return await update(user_id=user_id, changes=changes, actor=request.auth)


@router.delete("/{int:user_id}", response={204: None, **problems(403, 404, 409)}, summary="Delete an account")
async def delete_user(request: UserRequest, user_id: Path[Id], query: Query[DeletionQuery]) -> Status[None]:
    """Deletes an account. If the user has posts, `reassign_to` must name their new author."""
    await sync_to_async(services.delete_user)(user_id=user_id, reassign_to=query.reassign_to)
    return Status(204, None)
