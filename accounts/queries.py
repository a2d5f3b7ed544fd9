"""The read queries of accounts: one function per query, with the orderings of the lists beside them.

Each function builds a lazy QuerySet for `blogsite.db.compiled_queries`. An argument of type `Any` is a value, or the
`Placeholder` of a `Param` while the query is compiled.
"""

from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Q

from accounts.models import ApiToken, ApiTokenQuerySet, Session, SessionQuerySet, User, UserQuerySet
from blogsite.http.pagination import Order

USERS_BY_ID = Order("id", keys=("id",))
SESSIONS_LAST_USED_FIRST = Order("-last_used_at", keys=("last_used_at", "id"), descending=True)
API_TOKENS_NEWEST_FIRST = Order("-id", keys=("id",), descending=True)


def users(role: str | None = None, is_active: bool | None = None, search: str | None = None) -> UserQuerySet:
    """All accounts, or those that match every given condition, as `AccountOut` shows them."""
    return User.objects.with_account().matching(role=role, is_active=is_active, search=search)


def sessions_of(user_id: Any, now: Any, current_id: Any) -> SessionQuerySet:
    """The sessions of a user that have not ended, as `SessionOut` shows them.

    `is_current` is true for the session with the id `current_id`.
    """
    is_current = ExpressionWrapper(Q(pk=current_id), output_field=BooleanField())
    return Session.objects.current(now).with_session().filter(user=user_id).annotate(is_current=is_current)


def api_tokens_of(user_id: Any) -> ApiTokenQuerySet:
    """The API tokens of a user, expired ones included, as `ApiTokenOut` shows them."""
    return ApiToken.objects.with_token().filter(user=user_id)


def session_with_user(session_id: Any) -> SessionQuerySet:
    """The session with this id and its user, without secrets. It may be too old: the access token is checked first."""
    account = ("username", "email", "full_name", "bio", "role", "is_active", "created_at")
    return Session.objects.filter(pk=session_id).select_related("user").only(*(f"user__{name}" for name in account))
