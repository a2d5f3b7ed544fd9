"""What happens to users. Units of work are sync functions; what hashes a password is async, around one of them."""

from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import transaction

from accounts import passwords, tokens
from accounts.models import Role, User
from blogsite.constraints import explained
from blogsite.errors import (
    BlogError,
    EmailTaken,
    FieldError,
    Invalid,
    LastAdmin,
    NotFound,
    RegistrationClosed,
    Unauthenticated,
    UserHasPosts,
    UsernameTaken,
)

_CONFLICTS: dict[str, type[BlogError]] = {
    "accounts_user_username_unique": UsernameTaken,
    "accounts_user_email_unique": EmailTaken,
}


async def register_user(*, username: str, email: str, password: str, full_name: str = "") -> User:
    """Make a reader. Raises `RegistrationClosed`, `Invalid`, `UsernameTaken`, `EmailTaken`."""
    if not settings.BLOG_REGISTRATION_OPEN:
        raise RegistrationClosed
    return await add_user(username=username, email=email, password=password, full_name=full_name)


async def add_user(*, password: str, **fields: Any) -> User:
    """Make a user of any role with a password that passes the validators.

    Raises `Invalid`, `UsernameTaken`, `EmailTaken`.
    """
    password_hash = await passwords.hash_new(password, user=User(**fields))
    return await sync_to_async(create_user)(password_hash=password_hash, **fields)


def create_user(*, password_hash: str, **fields: Any) -> User:
    """Store a new user. Raises `UsernameTaken`, `EmailTaken`."""
    user = User(password=password_hash, **fields)
    with explained(_CONFLICTS):
        user.save(force_insert=True)
    return user


async def login(*, username: str, password: str) -> str:
    """Return an access token for the user with this name or e-mail address.

    Raises `Unauthenticated`, after the same work and with the same words, for an unknown user, a wrong password and
    an inactive account.
    """
    user = await User.objects.with_login(username).afirst()
    right = await passwords.matches(password, user.password if user else None)
    if user is None or not right or not user.is_active:
        raise Unauthenticated("The name or the password is wrong.")
    return tokens.issue(user)


@transaction.atomic
def update_user(*, user_id: int, changes: dict[str, Any]) -> User:
    """Change fields of a user. Raises `NotFound`, `UsernameTaken`, `EmailTaken`, `LastAdmin`."""
    admins = _lock_active_admins()
    user = _locked(user_id)
    stays = changes.get("role", user.role) == Role.ADMIN and changes.get("is_active", user.is_active)
    if admins == [user_id] and not stays:
        raise LastAdmin
    for name, value in changes.items():
        setattr(user, name, value)
    if changes:
        with explained(_CONFLICTS):
            user.save(update_fields=list(changes))
    return user


@transaction.atomic
def delete_user(*, user_id: int, reassign_to: int | None = None) -> None:
    """Delete a user, after their posts went to the user `reassign_to`, who must be one who may write.

    Raises `NotFound`, `UserHasPosts`, `LastAdmin`, `Invalid`.
    """
    admins = _lock_active_admins()
    user = _locked(user_id)
    if admins == [user_id]:
        raise LastAdmin
    if reassign_to is not None:
        heir = User.objects.with_account().writers().filter(pk=reassign_to).exclude(pk=user_id).first()
        if heir is None:
            message = "Must be the id of another active user who may write"
            raise Invalid(errors=[FieldError("#/query/reassign_to", "reassign_to_invalid", message)])
        user.posts.update(author=heir)
    elif user.posts.exists():
        raise UserHasPosts("Delete the posts first, or name who takes them with reassign_to.")
    user.delete()


def _locked(user_id: int) -> User:
    user = User.objects.with_account().select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NotFound("There is no such user.")
    return user


def _lock_active_admins() -> list[int]:
    """The ids of all active admins. Their rows are locked, in one order, so that two cannot leave at once."""
    admins = User.objects.select_for_update().admins().active().order_by("pk")
    return [admin.pk for admin in admins.only("pk")]
