"""The request and response bodies of accounts, sessions, passwords and API tokens."""

from datetime import datetime
from typing import Annotated, Literal

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from accounts.models import Role, Scope
from blogsite.http.schemas import UNSET, Flag, Id, Input, Moment, Output, PageOut, PageQuery, Storable


def _email(value: str) -> str:
    try:
        validate_email(value)
    except ValidationError:
        value = ""
    # ASCII only: SQLite and PostgreSQL lower other letters differently. International domains have the form xn--….
    if not value or not value.isascii():
        raise PydanticCustomError("email_invalid", "Must be an e-mail address in ASCII")
    return value


Username = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{3,30}$")]
Email = Annotated[str, StringConstraints(strip_whitespace=True, max_length=254), Storable, AfterValidator(_email)]
Password = Annotated[str, Field(min_length=1, max_length=256), Storable]
FullName = Annotated[str, StringConstraints(strip_whitespace=True, max_length=150), Storable]
Bio = Annotated[str, Field(max_length=2000), Storable]


class Registration(Input):
    """A new account. The password must have at least 8 characters, and be neither common nor similar to the name."""

    username: Username
    email: Email
    password: Password
    full_name: FullName = ""


class Credentials(Input):
    """A username or an e-mail address, and the password."""

    username: Annotated[str, Field(max_length=254), Storable]
    password: Password


class TokensOut(Output):
    """The tokens of a session, with the field names of RFC 6749."""

    access_token: str
    refresh_token: str = Field(description="Can be used once: `POST /auth/refresh` exchanges it for new tokens.")
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the name of a scheme
    expires_in: int = Field(description="The lifetime of the access token in seconds.")


class RefreshToken(Input):
    """The newest refresh token of a session."""

    refresh_token: Annotated[str, Field(min_length=1, max_length=200), Storable]


class SessionOut(Output):
    """A session: a login on one device."""

    id: int
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    user_agent: str
    address: str | None
    is_current: bool = Field(description="Whether the request was made in this session.")


class SessionPage(PageOut[SessionOut]):
    """The caller's sessions, the last used first."""


class PasswordChange(Input):
    """A new password, confirmed with the current one."""

    current_password: Password
    new_password: Password


class PasswordResetRequest(Input):
    """The address to which a reset link is mailed."""

    email: Email


class PasswordReset(Input):
    """The parameters of a reset link, and a new password."""

    uid: Annotated[str, Field(max_length=100), Storable]
    token: Annotated[str, Field(max_length=200), Storable]
    new_password: Password


class ApiTokenCreate(Input):
    """A new API token. The scope `write` includes `read`."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), Storable]
    scope: Scope
    expires_at: Moment | None = Field(default=None, description="If absent, the token does not expire.")


class ApiTokenOut(Output):
    """An API token, without the token itself."""

    id: int
    name: str
    scope: Scope
    hint: str = Field(description="The first characters of the token.")
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="Updated at most once an hour.")


class ApiTokenCreated(ApiTokenOut):
    """A new API token, with the token itself, which is shown only once."""

    token: str


class ApiTokenPage(PageOut[ApiTokenOut]):
    """The caller's API tokens, the newest first."""


class UserCreate(Registration):
    """A new account, created by an admin."""

    bio: Bio = ""
    role: Role = Role.READER
    is_active: Flag = True


class OwnAccountUpdate(Input):
    """Changes to the caller's account. A new e-mail address needs the password. An absent field keeps its value."""

    full_name: FullName = UNSET
    bio: Bio = UNSET
    email: Email = UNSET
    current_password: Password = UNSET


class UserUpdate(Input):
    """Changes to an account by an admin. An absent field keeps its value."""

    full_name: FullName = UNSET
    bio: Bio = UNSET
    username: Username = UNSET
    email: Email = UNSET
    role: Role = UNSET
    is_active: Flag = UNSET


class UserFilters(PageQuery):
    """The filters of the list of accounts."""

    role: Role | None = None
    is_active: bool | None = None
    q: Annotated[str, Field(min_length=1, max_length=100), Storable] | None = Field(
        default=None,
        description="Part of the username, full name or e-mail address. The case of ASCII letters is ignored.",
    )


class DeletionQuery(Input):
    """The new owner of a deleted user's posts."""

    reassign_to: Id | None = Field(default=None, description="The id of the user who becomes the author of the posts.")


class AccountOut(Output):
    """An account, as its user and admins see it."""

    id: int
    username: str
    email: str
    full_name: str
    bio: str
    role: Role
    is_active: bool
    created_at: datetime


class AccountPage(PageOut[AccountOut]):
    """A page of accounts, ordered by id."""
