"""The authentication of the API's operations, by access token or API token."""

from collections.abc import Hashable
from datetime import datetime
from typing import NamedTuple, NoReturn

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils import timezone

from accounts import queries
from accounts.credentials import access_tokens, api_tokens
from accounts.login_throttle import FailureThrottle, throttled
from accounts.models import Scope, Session, User, Viewer
from blogsite.errors import Forbidden, Unauthenticated
from blogsite.serving.content_version import CONTENT_VERSION_KEY


class UserRequest(HttpRequest):
    """The request of an operation that only users may call."""

    auth: User


class SessionRequest(HttpRequest):
    """The request of an operation that needs a session (`SESSION`): the one of its access token."""

    auth: Session


class ViewerRequest(HttpRequest):
    """The request of an operation that anybody may call."""

    auth: Viewer


class Caller(NamedTuple):
    """The user whom a credential authenticates, with the session of an access token or the scope of an API token."""

    user: User
    session: Session | None = None
    scope: str = Scope.WRITE
    expires_at: datetime | None = None
    reload_at: datetime | None = None
    """When a cached caller must be loaded again, so that the use of an API token is recorded."""


class CallerCache:
    """The most recent callers, valid for one content version: any commit empties the cache.

    An ended session, a changed role or a deactivated user therefore counts on the very next request, and a read by a
    cached caller needs no query for them. Only SQLite reports every commit; on PostgreSQL each request runs the query.
    """

    MAX_CALLERS = 10_000

    def __init__(self) -> None:
        self.version: Hashable | None = None
        self.callers: dict[str | int, Caller] = {}

    async def get(self, credential: str | int, version: Hashable | None) -> Caller | None:
        """The caller with this API token or session id. `version` was read before the request began."""
        if version is None or not settings.ON_SQLITE:
            return await _load(credential)
        if version != self.version or len(self.callers) >= self.MAX_CALLERS:
            self.version, self.callers = version, {}
        callers = self.callers  # another request may replace them during the query
        caller = callers.get(credential)
        if caller is None or (caller.reload_at and caller.reload_at <= timezone.now()):
            caller = await _load(credential)
            if caller is not None:
                callers[credential] = caller
        return caller


async def _load(credential: str | int) -> Caller | None:
    if isinstance(credential, int):
        session = await queries.session_with_user(credential).afirst()
        return Caller(session.user, session=session) if session else None
    token = await _use_api_token(credential)
    if token is None:
        return None
    reload_at = (token.last_used_at or timezone.now()) + api_tokens.USE_RESOLUTION
    return Caller(token.user, scope=token.scope, expires_at=token.expires_at, reload_at=reload_at)


_use_api_token = sync_to_async(api_tokens.use)
_caller_cache = CallerCache()


class AccessToken:
    """Authentication by `Authorization: Bearer`, with the access token of a session or an API token.

    The user's role and activity and the session are read for each request. `admin` admits only admins; `session`
    admits no API tokens and sets `request.auth` to the session instead of the user. The class has an async
    `__call__`, because ninja takes the coroutine that a sync callable returns for a successful authentication.
    """

    openapi_security_schema = {"type": "http", "scheme": "bearer"}

    def __init__(self, *, admin: bool = False, session: bool = False) -> None:
        self.admin = admin
        self.session = session

    async def __call__(self, request: HttpRequest) -> User | Session | None:
        """Return the user (or the session), or None if the request has no `Authorization` header.

        Raises `Unauthenticated` for a bad token, `Forbidden` for a token that may not call the operation, and
        `TooManyRequests` for a forged token after too many of them.
        """
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("Send the token as Authorization: Bearer.")
        caller = await self._caller(request, token)
        if caller is None or not caller.user.is_active:
            raise Unauthenticated("The session of this token has ended, or its user is not active.")
        if self.session and caller.session is None:
            raise Forbidden("This operation needs a session, not an API token: log in.")
        if caller.scope == Scope.READ and request.method != "GET":
            raise Forbidden("This token may only read.")
        if self.admin and not caller.user.is_admin:
            raise Forbidden("Only admins may do this.")
        return caller.session if self.session else caller.user

    async def _caller(self, request: HttpRequest, token: str) -> Caller | None:
        version = getattr(request, "scope", {}).get(CONTENT_VERSION_KEY)
        if not token.startswith(api_tokens.PREFIX):
            try:
                claims = access_tokens.verify(token)
            except access_tokens.ForgedToken:
                await self._refuse_forged(request)
            caller = await _caller_cache.get(claims.session_id, version)
            return caller if caller and caller.user.pk == claims.user_id else None
        caller = await _caller_cache.get(token, version) if api_tokens.is_well_formed(token) else None
        if caller is None:
            await self._refuse_forged(request)
        if caller.expires_at and caller.expires_at <= timezone.now():
            raise Unauthenticated("The API token has expired.")
        return caller

    async def _refuse_forged(self, request: HttpRequest) -> NoReturn:
        """Raise `Unauthenticated`, and count the failure. Valid tokens are never counted and never have to wait."""
        async with throttled(FailureThrottle("token", request)):
            raise Unauthenticated("The token is not valid.")


class Anonymous:
    """Admits requests without `Authorization`. It comes after `AccessToken`, so that a bad token is still a 401."""

    async def __call__(self, request: HttpRequest) -> AnonymousUser:
        return AnonymousUser()


USER = AccessToken()
SESSION = AccessToken(session=True)
ADMIN = AccessToken(admin=True)
ANYBODY = [USER, Anonymous()]
