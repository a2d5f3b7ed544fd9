"""What clients send and get about users."""

from datetime import datetime
from typing import Annotated, Literal

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from accounts.models import Role, Scope
from blogsite.http.schemas import UNSET, Flag, Id, Input, Moment, Output, PageQuery, Storable


def _email(value: str) -> str:
    try:
        validate_email(value)
    except ValidationError:
        value = ""
    # In ASCII both engines agree on what differs only in case. International domains have the form xn--….
    if not value or not value.isascii():
        raise PydanticCustomError("email_invalid", "Must be an e-mail address, in ASCII")
    return value


Username = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{3,30}$")]
Email = Annotated[str, StringConstraints(strip_whitespace=True, max_length=254), Storable, AfterValidator(_email)]
Password = Annotated[str, Field(min_length=1, max_length=256), Storable]
FullName = Annotated[str, StringConstraints(strip_whitespace=True, max_length=150), Storable]
Bio = Annotated[str, Field(max_length=2000), Storable]


class Registration(Input):
    """A new account of one's own. The password must be 8 characters or more, and neither common nor like the name."""

    username: Username
    email: Email
    password: Password
    full_name: FullName = ""


class Credentials(Input):
    """A name or an e-mail address, and the password."""

    username: Annotated[str, Field(max_length=254), Storable]
    password: Password


class TokensOut(Output):
    """The tokens of a session, in the names of RFC 6749."""

    access_token: str
    refresh_token: str = Field(description="Good once: `POST /auth/refresh` trades it for new tokens.")
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the name of a scheme
    expires_in: int = Field(description="Seconds that the access token is good for.")


class RefreshToken(Input):
    """The newest refresh token of a session."""

    refresh_token: Annotated[str, Field(min_length=1, max_length=200), Storable]


class SessionOut(Output):
    """A session: one login, on one device."""

    id: int
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    user_agent: str
    address: str | None
    is_current: bool = Field(description="Whether this request belongs to it.")


class SessionPage(Output):
    """The caller's sessions, the last used first."""

    items: list[SessionOut]
    next: str | None


class PasswordChange(Input):
    """A new password, confirmed with the old one."""

    current_password: Password
    new_password: Password


class PasswordResetRequest(Input):
    """Whom to send a link."""

    email: Email


class PasswordReset(Input):
    """What the link of a password reset carries, and a new password."""

    uid: Annotated[str, Field(max_length=100), Storable]
    token: Annotated[str, Field(max_length=200), Storable]
    new_password: Password


class ApiTokenCreate(Input):
    """A new API token. `write` also reads."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), Storable]
    scope: Scope
    expires_at: Moment | None = Field(default=None, description="Never, if absent.")


class ApiTokenOut(Output):
    """An API token, without the text that makes it work."""

    id: int
    name: str
    scope: Scope
    hint: str = Field(description="How the token begins.")
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To the hour.")


class ApiTokenCreated(ApiTokenOut):
    """A new API token, with its text: it is shown this once."""

    token: str


class ApiTokenPage(Output):
    """The caller's API tokens, the newest first."""

    items: list[ApiTokenOut]
    next: str | None


class UserCreate(Registration):
    """A new account, made by an admin."""

    bio: Bio = ""
    role: Role = Role.READER
    is_active: Flag = True


class ProfileUpdate(Input):
    """What users change of their own account, and admins of anybody's; what is absent stays."""

    full_name: FullName = UNSET
    bio: Bio = UNSET


class OwnAccountUpdate(ProfileUpdate):
    """What users change of their own account. Another e-mail address needs the password."""

    email: Email = UNSET
    current_password: Password = UNSET


class UserUpdate(ProfileUpdate):
    """What an admin changes of an account; what is absent stays."""

    username: Username = UNSET
    email: Email = UNSET
    role: Role = UNSET
    is_active: Flag = UNSET


class UserFilters(PageQuery):
    """Which accounts to list."""

    role: Role | None = None
    is_active: bool | None = None
    q: Annotated[str, Field(min_length=1, max_length=100), Storable] | None = Field(
        default=None, description="Part of the name, the full name or the e-mail address, in any case of ASCII letters."
    )


class DeletionQuery(Input):
    """What becomes of a deleted user's posts."""

    reassign_to: Id | None = Field(default=None, description="The id of the user who takes the posts.")


class AccountOut(Output):
    """A user, for themselves and for admins."""

    id: int
    username: str
    email: str
    full_name: str
    bio: str
    role: Role
    is_active: bool
    created_at: datetime


class AccountPage(Output):
    """A page of accounts, in the order of their ids."""

    items: list[AccountOut]
    next: str | None
