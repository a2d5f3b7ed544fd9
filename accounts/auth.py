"""Who is asking: the authentication of the API's operations."""

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
        header = request.headers.get("Authorization")
        if header is None:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("Send the token as Authorization: Bearer.")
        user = await User.objects.with_account().active().filter(pk=tokens.verify(token)).afirst()
        if user is None:
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
