"""The services that change accounts.

A unit of work is one sync function in a transaction. Functions that hash a password are async: they hash first, in
the threads of `accounts.credentials.passwords`, and then call a unit of work. The security events are recorded where
the change is stored: `User.save` records new users and passwords, `Session.objects.end` records ended sessions.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.utils.http import urlsafe_base64_decode

from accounts import mails, security_log
from accounts.credentials import passwords, sessions
from accounts.credentials.sessions import TokenPair
from accounts.models import Role, Session, User
from blogsite import errors
from blogsite.db.constraints import translate_integrity_errors

_CONFLICTS = {
    "accounts_user_username_unique": errors.UsernameTaken,
    "accounts_user_email_unique": errors.EmailTaken,
}


async def register_user(*, username: str, email: str, password: str, full_name: str = "") -> User:
    """Create a reader. Raises `RegistrationClosed`, `Invalid`, `UsernameTaken`, `EmailTaken`."""
    if not settings.BLOG_REGISTRATION_OPEN:
        raise errors.RegistrationClosed
    return await add_user(username=username, email=email, password=password, full_name=full_name)


async def add_user(*, password: str, **fields: Any) -> User:
    """Create a user of any role. Raises `Invalid` for a weak password, `UsernameTaken`, `EmailTaken`."""
    create = await prepare_user(password=password, **fields)
    return await sync_to_async(create)()


async def prepare_user(*, password: str, **fields: Any) -> Callable[[], User]:
    """Validate and hash the password of a new user, and return a function that stores the user, as `create_user` does.

    The caller can call that function in a transaction, which then does not wait for the hash. Raises `Invalid`.
    """
    password_hash = await passwords.hash_new(password, user=User(**fields))
    return partial(create_user, password_hash=password_hash, **fields)


def create_user(*, password_hash: str, **fields: Any) -> User:
    """Store a new user. Raises `UsernameTaken`, `EmailTaken`."""
    user = User(password=password_hash, **fields)
    with translate_integrity_errors(_CONFLICTS):
        user.save(force_insert=True)
    return user


async def login(*, username: str, password: str, user_agent: str = "", address: str | None = None) -> TokenPair:
    """Start a session of the user with this name or e-mail address.

    Raises `WrongCredentials` for an unknown user, a wrong password and an inactive account, with the same message
    and after the same work. Replaces a password hash that has weaker parameters than those of today.
    """
    user = await User.objects.with_login(username).afirst()
    match = await passwords.match(password, user.password if user else None)
    if user is None or not match.is_correct or not user.is_active:
        security_log.record("login_failed", user_id=user.pk if user else None, address=address)
        raise errors.WrongCredentials
    return await sync_to_async(_log_in)(user, match.better_hash, user_agent=user_agent, address=address)


@transaction.atomic
def _log_in(user: User, better_hash: str | None, *, user_agent: str, address: str | None) -> TokenPair:
    """Start the session, unless the password was changed or the user deactivated during the check."""
    unchanged = User.objects.active().select_for_update().filter(pk=user.pk, password=user.password)
    if unchanged.only("pk").first() is None:
        raise errors.WrongCredentials
    if better_hash is not None:
        User.objects.filter(pk=user.pk, password=user.password).update(password=better_hash)
    return sessions.start(user, user_agent=user_agent, address=address)


async def change_password(*, user: User, session_id: int, current_password: str, new_password: str) -> None:
    """Set a new password, and end the user's other sessions. Raises `WrongPassword`, and `Invalid` for a weak one."""
    current_hash = await _check_password(user, current_password)
    new_hash = await passwords.hash_new(new_password, user=user, field="new_password")
    replace = sync_to_async(replace_password)
    if not await replace(user=user, old_hash=current_hash, new_hash=new_hash, except_session_id=session_id):
        raise errors.WrongPassword  # the password was changed in the meantime
    mails.send_password_changed(user)


@transaction.atomic
def replace_password(*, user: User, old_hash: str, new_hash: str, except_session_id: int | None = None) -> bool:
    """Replace a password hash and end the user's sessions, except one. Returns False if the hash is not `old_hash`."""
    if not User.objects.filter(pk=user.pk, password=old_hash).update(password=new_hash):
        return False
    user.password_replaced(except_session_id=except_session_id)
    return True


async def request_password_reset(*, email: str) -> None:
    """Mail a reset link to the active user with this address, if there is one. The caller does not learn whether."""
    user = await User.objects.active().with_login(email).afirst() if "@" in email else None
    mails.send_password_reset(user)


async def reset_password(*, uid: str, token: str, new_password: str) -> None:
    """Set a password with the parameters of a reset link, and end all sessions. Raises `BadResetLink`, `Invalid`."""
    user = await _user_of(uid)
    if user is None or not default_token_generator.check_token(user, token):
        raise errors.BadResetLink
    new_hash = await passwords.hash_new(new_password, user=user, field="new_password")
    if not await sync_to_async(replace_password)(user=user, old_hash=user.password, new_hash=new_hash):
        raise errors.BadResetLink  # the link was used in the meantime
    mails.send_password_changed(user)


async def update_profile(*, user: User, changes: dict[str, Any], current_password: str | None) -> User:
    """Change a user's own account. A new e-mail address needs the password; the old address gets a mail.

    Raises `WrongPassword`, `EmailTaken`.
    """
    has_new_email = changes.get("email", user.email) != user.email
    if has_new_email:
        await _check_password(user, current_password or "")
    changed = await sync_to_async(update_user)(user_id=user.pk, changes=changes)
    if has_new_email:
        mails.send_email_changed(changed, user.email)
    return changed


@transaction.atomic
def update_user(*, user_id: int, changes: dict[str, Any], actor: User | None = None) -> User:
    """Change fields of a user. `actor` is the admin who does it, if any. Deactivating a user ends all their sessions.

    Raises `NotFound`, `UsernameTaken`, `EmailTaken`, `LastAdmin`.
    """
    user, is_last_admin = _lock_user(user_id)
    before = user.role, user.is_active
    stays_admin = changes.get("role", user.role) == Role.ADMIN and changes.get("is_active", user.is_active)
    if is_last_admin and not stays_admin:
        raise errors.LastAdmin
    for name, value in changes.items():
        setattr(user, name, value)
    if changes:
        with translate_integrity_errors(_CONFLICTS):
            user.save(update_fields=list(changes))
    _record_rights(user, *before, actor=actor)
    return user


def _record_rights(user: User, old_role: str, was_active: bool, *, actor: User | None) -> None:
    """Record a change of the role or the activity, and end the sessions of an inactive user."""
    messages = []
    by = actor.pk if actor else None
    if user.role != old_role:
        messages.append(f"Changed the role from {old_role} to {user.role}.")
        security_log.record("role_changed", user_id=user.pk, old=old_role, new=user.role, by=by)
    if user.is_active != was_active:
        messages.append("Activated." if user.is_active else "Deactivated.")
        security_log.record("activity_changed", user_id=user.pk, active=user.is_active, by=by)
    if not user.is_active:
        Session.objects.end(user.pk)
    if actor is not None:
        for message in messages:
            LogEntry.objects.log_actions(actor.pk, [user], CHANGE, message, single_object=True)


@transaction.atomic
def delete_user(*, user_id: int, reassign_to: int | None = None) -> None:
    """Delete a user. Their posts and media go to the user with the id `reassign_to`, an active user who may write.

    Raises `NotFound`, `UserHasPosts`, `LastAdmin`, `Invalid`.
    """
    user, is_last_admin = _lock_user(user_id)
    if is_last_admin:
        raise errors.LastAdmin
    if reassign_to is not None:
        new_owner = User.objects.with_account().writers().filter(pk=reassign_to).exclude(pk=user_id).first()
        if new_owner is None:
            message = "Must be the id of another active user who may write posts"
            raise errors.Invalid(errors=[errors.FieldError("#/query/reassign_to", "reassign_to_invalid", message)])
        user.posts.update(author=new_owner)
        user.media.exclude(sha256__in=new_owner.media.values("sha256")).update(author=new_owner)
    elif user.posts.exists():
        raise errors.UserHasPosts("Delete the posts first, or name their new author with reassign_to.")
    user.delete()
    security_log.record("user_deleted", user_id=user_id)


async def _check_password(user: User, password: str) -> str:
    """Check the password of a user, and return its stored hash. Raises `WrongPassword`."""
    current_hash: str = await User.objects.values_list("password", flat=True).aget(pk=user.pk)
    if not (await passwords.match(password, current_hash)).is_correct:
        raise errors.WrongPassword
    return current_hash


async def _user_of(uid: str) -> User | None:
    try:
        return await User.objects.active().filter(pk=int(urlsafe_base64_decode(uid))).afirst()
    except ValueError:
        return None


def _lock_user(user_id: int) -> tuple[User, bool]:
    """Return a user, and whether they are the only active admin. Raises `NotFound`.

    The user and all active admins are locked, so that two admins cannot be removed at the same time.
    """
    admins = list(User.objects.select_for_update().admins().active().order_by("pk").values_list("pk", flat=True))
    user = User.objects.with_account().select_for_update().filter(pk=user_id).first()
    if user is None:
        raise errors.NotFound("There is no such user.")
    return user, admins == [user_id]
