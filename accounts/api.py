"""The operations on accounts."""

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest
from ninja import Path, Query, Router, Status

from accounts import services
from accounts.auth import ADMIN, USER, UserRequest
from accounts.models import User
from accounts.schemas import (
    AccountOut,
    AccountPage,
    Credentials,
    DeletionQuery,
    ProfileUpdate,
    Registration,
    TokensOut,
    UserCreate,
    UserFilters,
    Username,
    UserUpdate,
)
from blogsite.pagination import Order, paginate
from blogsite.schemas import Id, problems

BY_ID = Order("id", keys=("id",))

auth = Router(tags=["auth"])
users = Router(tags=["users"], auth=ADMIN)


@auth.post("/register", response={201: AccountOut, **problems(403, 409)}, summary="Make an account")
async def register(request: HttpRequest, payload: Registration) -> Status[AccountOut]:
    """The new user is a reader."""
    user = await services.register_user(**payload.model_dump())
    return Status(201, AccountOut.model_validate(user))


@auth.post("/login", response={200: TokensOut, **problems(401)}, summary="Log in")
async def login(request: HttpRequest, payload: Credentials) -> TokensOut:
    """Trade a name (or e-mail address) and a password for an access token."""
    token = await services.login(**payload.model_dump())
    return TokensOut(access_token=token, expires_in=settings.ACCESS_TOKEN_SECONDS)


@users.get("", response={200: AccountPage, **problems(403)}, summary="List accounts")
async def list_users(request: UserRequest, filters: Query[UserFilters]) -> AccountPage:
    """In the order of their ids."""
    matching = User.objects.with_account().matching(role=filters.role, is_active=filters.is_active, q=filters.q)
    return AccountPage.model_validate(await paginate(matching, order=BY_ID, query=filters))


@users.post("", response={201: AccountOut, **problems(403, 409)}, summary="Make an account of any role")
async def create_user(request: UserRequest, payload: UserCreate) -> Status[AccountOut]:
    user = await services.add_user(**payload.model_dump())
    return Status(201, AccountOut.model_validate(user))


@users.get("/me", auth=USER, response=AccountOut, summary="Read one's own account")
async def get_me(request: UserRequest) -> AccountOut:
    return AccountOut.model_validate(request.auth)


@users.patch("/me", auth=USER, response=AccountOut, summary="Change one's own account")
async def update_me(request: UserRequest, payload: ProfileUpdate | None = None) -> AccountOut:
    """What is absent stays."""
    changes = payload.model_dump(exclude_unset=True) if payload else {}
    user = await sync_to_async(services.update_user)(user_id=request.auth.pk, changes=changes)
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
    return AccountOut.model_validate(await sync_to_async(services.update_user)(user_id=user_id, changes=changes))


@users.delete("/{int:user_id}", response={204: None, **problems(403, 404, 409)}, summary="Delete an account")
async def delete_user(request: UserRequest, user_id: Path[Id], query: Query[DeletionQuery]) -> Status[None]:
    """A user who has posts cannot be deleted, unless `reassign_to` takes them."""
    await sync_to_async(services.delete_user)(user_id=user_id, reassign_to=query.reassign_to)
    return Status(204, None)
