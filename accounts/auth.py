"""Who is asking: the authentication of the API's operations."""

from collections.abc import Hashable

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from accounts import tokens
from accounts.models import User, Viewer
from blogsite.errors import Forbidden, Unauthenticated


class UserRequest(HttpRequest):
    """The request of an operation that only users may call."""

    auth: User


class ViewerRequest(HttpRequest):
    """The request of an operation that anybody may call."""

    auth: Viewer


class KnownUsers:
    """The users who asked last, as of one version of the database: a commit forgets them all.

    So a changed role or a deactivated user counts on the very next request, and a read by a known user costs no query
    for them. Only SQLite can prove its version to the commit; elsewhere each request asks.
    """

    MOST = 10_000

    def __init__(self) -> None:
        self.version: Hashable | None = None
        self.users: dict[int, User] = {}

    async def get(self, user_id: int, version: Hashable | None) -> User | None:
        """The user, with what `AccountOut` shows. `version` is the database's, read before the request began."""
        if version is None or not settings.ON_SQLITE:
            return await self._ask(user_id)
        if version != self.version or len(self.users) >= self.MOST:
            self.version, self.users = version, {}
        users = self.users
        if user_id not in users:
            user = await self._ask(user_id)
            if user is None:
                return None
            users[user_id] = user
        return users[user_id]

    async def _ask(self, user_id: int) -> User | None:
        return await User.objects.with_account().filter(pk=user_id).afirst()


_known_users = KnownUsers()


class AccessToken:
    """Authentication by `Authorization: Bearer <access token>`, against the user as they are now.

    `admin` lets only admins in. An async `__call__` of one class, because ninja takes the coroutine that a sync
    callable returns for a "yes".
    """

    openapi_security_schema = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}

    def __init__(self, *, admin: bool = False) -> None:
        self.admin = admin

    async def __call__(self, request: HttpRequest) -> User | None:
        """Return the user, or None when the request has no `Authorization`.

        Raises `Unauthenticated` for a bad token, and `Forbidden` for who is no admin and should be.
        """
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("Send the token as Authorization: Bearer.")
        user = await _known_users.get(tokens.verify(token), getattr(request, "scope", {}).get("database_version"))
        if user is None or not user.is_active:
            raise Unauthenticated("The user of this token is gone or not active.")
        if self.admin and not user.is_admin:
            raise Forbidden("Only admins may do this.")
        return user


class Anonymous:
    """Nobody known, for requests without `Authorization`: comes after `AccessToken`, so that a bad token stays 401."""

    async def __call__(self, request: HttpRequest) -> AnonymousUser:
        return AnonymousUser()


USER = AccessToken()
ADMIN = AccessToken(admin=True)
ANYBODY = [USER, Anonymous()]
