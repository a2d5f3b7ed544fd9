"""Who is asking: the authentication of the API's operations."""

from collections.abc import Hashable
from datetime import datetime
from typing import NamedTuple, NoReturn

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils import timezone

from accounts.credentials import access_tokens, api_tokens
from accounts.login_throttle import FailureThrottle
from accounts.models import Scope, Session, SessionQuerySet, User, Viewer
from blogsite.db.compiled_queries import compiled
from blogsite.errors import Forbidden, Unauthenticated


class UserRequest(HttpRequest):
    """The request of an operation that only users may call."""

    auth: User
    session_id: int
    """The session of the access token; an operation that needs it takes no API token (`SESSION`)."""


class ViewerRequest(HttpRequest):
    """The request of an operation that anybody may call."""

    auth: Viewer


class Caller(NamedTuple):
    """Whom a token stands for, and how far."""

    user: User
    session_id: int | None = None
    scope: str = Scope.WRITE
    expires_at: datetime | None = None
    asked_again_at: datetime | None = None


class KnownCallers:
    """Those who asked last, as of one version of the database: a commit forgets them all.

    So an ended session, a changed role or a deactivated user counts on the very next request, and a read by a known
    user costs no query for them. Only SQLite can prove its version to the commit; elsewhere each request asks.
    """

    MOST = 10_000

    def __init__(self) -> None:
        self.version: Hashable | None = None
        self.callers: dict[str | int, Caller] = {}

    async def get(self, credential: str | int, version: Hashable | None) -> Caller | None:
        """The caller with an API token, or of a session's id. `version` is the database's, before the request began."""
        if version is None or not settings.ON_SQLITE:
            return await _ask(credential)
        if version != self.version or len(self.callers) >= self.MOST:
            self.version, self.callers = version, {}
        callers = self.callers
        caller = callers.get(credential)
        if caller is None or (caller.asked_again_at and caller.asked_again_at <= timezone.now()):
            caller = await _ask(credential)
            if caller is not None:
                callers[credential] = caller
        return caller


async def _ask(credential: str | int) -> Caller | None:
    if isinstance(credential, int):
        session = await _session(credential).afirst()
        return Caller(session.user, session_id=session.pk) if session else None
    token = await _use_api_token(credential)
    if token is None:
        return None
    again = (token.last_used_at or timezone.now()) + api_tokens.USE_RESOLUTION
    return Caller(token.user, scope=token.scope, expires_at=token.expires_at, asked_again_at=again)


@compiled
def _session(session_id: int) -> SessionQuerySet:
    account = ("username", "email", "full_name", "bio", "role", "is_active", "created_at")
    return Session.objects.filter(pk=session_id).select_related("user").only(*(f"user__{name}" for name in account))


_use_api_token = sync_to_async(api_tokens.use)
_known_callers = KnownCallers()


class AccessToken:
    """Authentication by `Authorization: Bearer`, with the access token of a session or an API token.

    The user is as they are now: role, activity and session are looked at for each request. `admin` lets only admins
    in, `session` no API tokens. An async `__call__` of one class, because ninja takes the coroutine that a sync
    callable returns for a "yes".
    """

    openapi_security_schema = {"type": "http", "scheme": "bearer"}

    def __init__(self, *, admin: bool = False, session: bool = False) -> None:
        self.admin = admin
        self.session = session

    async def __call__(self, request: HttpRequest) -> User | None:
        """Return the user, or None when the request has no `Authorization`.

        Raises `Unauthenticated` for a bad token, `Forbidden` for one that may not do this, and `TooManyRequests` for
        a bad one after many that were none of ours.
        """
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("Send the token as Authorization: Bearer.")
        caller = await self._caller(request, token)
        if caller is None or not caller.user.is_active:
            raise Unauthenticated("The session of this token is over, or its user is not active.")
        if self.session and caller.session_id is None:
            raise Forbidden("An API token may not do this: log in.")
        if caller.scope == Scope.READ and request.method != "GET":
            raise Forbidden("This token may only read.")
        if self.admin and not caller.user.is_admin:
            raise Forbidden("Only admins may do this.")
        request.session_id = caller.session_id  # type: ignore[attr-defined]
        return caller.user

    async def _caller(self, request: HttpRequest, token: str) -> Caller | None:
        version = getattr(request, "scope", {}).get("content_version")
        if not token.startswith(api_tokens.PREFIX):
            try:
                claims = access_tokens.verify(token)
            except access_tokens.Forged:
                await self._refuse_forged(request)
            caller = await _known_callers.get(claims.session_id, version)
            return caller if caller and caller.user.pk == claims.user_id else None
        caller = await _known_callers.get(token, version) if api_tokens.is_well_formed(token) else None
        if caller is None:
            await self._refuse_forged(request)
        if caller.expires_at and caller.expires_at <= timezone.now():
            raise Unauthenticated("The API token has expired.")
        return caller

    async def _refuse_forged(self, request: HttpRequest) -> NoReturn:
        """Nothing but a bad token is ever counted or made to wait: good ones do not come here."""
        async with FailureThrottle("token", request):
            raise Unauthenticated("The token is not valid.")


class Anonymous:
    """Nobody known, for requests without `Authorization`: comes after `AccessToken`, so that a bad token stays 401."""

    async def __call__(self, request: HttpRequest) -> AnonymousUser:
        return AnonymousUser()


USER = AccessToken()
SESSION = AccessToken(session=True)
ADMIN = AccessToken(admin=True)
ANYBODY = [USER, Anonymous()]
