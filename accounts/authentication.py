"""The authentication of the API's operations, by access token or API token."""

from collections.abc import Hashable
from typing import Generic, TypeVar

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils import timezone

from accounts import queries
from accounts.credentials import access_tokens, api_tokens
from accounts.login_throttle import FailureThrottle
from accounts.models import ApiToken, Scope, Session, User, Viewer
from blogsite.errors import Forbidden, Unauthenticated
from blogsite.serving.content_version import CONTENT_VERSION_KEY

Auth = TypeVar("Auth")


class ApiRequest(HttpRequest, Generic[Auth]):
    """A request of the API. `auth` is what the authentication of its operation returned."""

    auth: Auth


UserRequest = ApiRequest[User]  # with `auth=USER` or `auth=ADMIN`
SessionRequest = ApiRequest[Session]  # with `auth=SESSION`
ViewerRequest = ApiRequest[Viewer]  # with `auth=ANYBODY`

Caller = Session | ApiToken
"""What authenticates a request: the session of its access token, or its API token. Either is loaded with its user."""


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
        if caller is None or (isinstance(caller, ApiToken) and api_tokens.must_record_use(caller)):
            caller = await _load(credential)
            if caller is not None:
                callers[credential] = caller
        return caller


async def _load(credential: str | int) -> Caller | None:
    if isinstance(credential, int):
        return await queries.session_with_user(credential).afirst()
    return await sync_to_async(api_tokens.use)(credential)


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

    async def __call__(self, request: HttpRequest) -> User | Caller | None:
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
        try:
            caller = await _caller_of(token, getattr(request, "scope", {}).get(CONTENT_VERSION_KEY))
        except access_tokens.ForgedToken:
            async with FailureThrottle("token", request):  # valid tokens are never counted and never have to wait
                raise Unauthenticated("The token is not valid.") from None
        if caller is None or not caller.user.is_active:
            raise Unauthenticated("The session of this token has ended, or its user is not active.")
        if self.session and not isinstance(caller, Session):
            raise Forbidden("This operation needs a session, not an API token: log in.")
        if isinstance(caller, ApiToken) and caller.scope == Scope.READ and request.method != "GET":
            raise Forbidden("This token may only read.")
        if self.admin and not caller.user.is_admin:
            raise Forbidden("Only admins may do this.")
        return caller if self.session else caller.user


async def _caller_of(token: str, version: Hashable | None) -> Caller | None:
    """The caller with this token, None for an ended session. Raises `Unauthenticated`, `access_tokens.ForgedToken`."""
    if not token.startswith(api_tokens.PREFIX):
        claims = access_tokens.verify(token)
        session = await _caller_cache.get(claims.session_id, version)
        return session if session and session.user.pk == claims.user_id else None
    api_token = await _caller_cache.get(token, version) if api_tokens.is_well_formed(token) else None
    if api_token is None:
        raise access_tokens.ForgedToken
    if api_token.expires_at and api_token.expires_at <= timezone.now():
        raise Unauthenticated("The API token has expired.")
    return api_token


async def _anonymous(request: HttpRequest) -> AnonymousUser:
    return AnonymousUser()


USER = AccessToken()
SESSION = AccessToken(session=True)
ADMIN = AccessToken(admin=True)
ANYBODY = [USER, _anonymous]  # in this order, so that a bad token is still a 401
