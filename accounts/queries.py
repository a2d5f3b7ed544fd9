"""The compiled queries that read users, sessions and API tokens for a client, and the orders of the lists."""

from datetime import datetime

from django.db.models import BooleanField, ExpressionWrapper, Q

from accounts.models import ApiToken, ApiTokenQuerySet, Role, Session, SessionQuerySet, User, UserQuerySet
from blogsite.db.compiled_queries import compiled
from blogsite.db.keyset import Order

USERS_BY_ID = Order("id", keys=("id",))
SESSIONS_LAST_USED_FIRST = Order("-last_used_at", keys=("last_used_at", "id"), descending=True)
API_TOKENS_NEWEST_FIRST = Order("-id", keys=("id",), descending=True)


@compiled
def user_by_id(user_id: int) -> UserQuerySet:
    """The account with this id, as `AccountOut` shows it."""
    return User.objects.with_account().filter(pk=user_id)


@compiled
def user_by_username(username: str) -> UserQuerySet:
    """The account with this username, in any letter case, as `AccountOut` shows it."""
    return User.objects.with_account().named(username)


@compiled
def users(role: Role | None, is_active: bool | None, search: str | None) -> UserQuerySet:
    """The accounts that match every condition that is not None, as `AccountOut` shows them."""
    return User.objects.with_account().matching(role=role, is_active=is_active, search=search)


@compiled
def sessions_of(user_id: int, now: datetime, current_id: int) -> SessionQuerySet:
    """The sessions of a user that have not ended, as `SessionOut` shows them; `current_id` is the current one's id."""
    is_current = ExpressionWrapper(Q(pk=current_id), output_field=BooleanField())
    return Session.objects.current(now).with_session().filter(user=user_id).annotate(is_current=is_current)


@compiled
def api_tokens_of(user_id: int) -> ApiTokenQuerySet:
    """The API tokens of a user, expired ones included, as `ApiTokenOut` shows them."""
    return ApiToken.objects.with_token().filter(user=user_id)


@compiled
def session_with_user(session_id: int) -> SessionQuerySet:
    """The session with this id and its user, without secrets. It may be too old: the access token is checked first."""
    account = ("username", "email", "full_name", "bio", "role", "is_active", "created_at")
    return Session.objects.filter(pk=session_id).select_related("user").only(*(f"user__{name}" for name in account))
