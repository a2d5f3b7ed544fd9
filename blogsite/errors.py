"""The domain's errors. They depend on no HTTP library; `blogsite.http.problems` turns them into responses.

    BlogError
    ├── Malformed               400  the request cannot be parsed
    ├── Unauthenticated         401  the token is missing or not valid
    │   └── WrongCredentials
    ├── Forbidden               403  the caller may see the object, but may not do this
    │   └── RegistrationClosed
    ├── NotFound                404  the object does not exist, or the caller may not see it
    ├── MethodNotAllowed        405
    ├── BodyTooSlow             408
    ├── Conflict                409
    │   ├── UsernameTaken
    │   ├── EmailTaken
    │   ├── SlugTaken
    │   ├── LastAdmin
    │   ├── UserHasPosts
    │   └── MediaInUse
    ├── LengthRequired          411
    ├── Stale                   412  the object was changed after the client read it
    ├── TooLarge                413
    │   └── QuotaExceeded
    ├── UnsupportedMedia        415
    ├── Invalid                 422  the input breaks a rule; `errors` names the fields
    │   ├── WrongPassword
    │   ├── BadResetLink
    │   └── IdempotencyKeyReused
    ├── TooManyRequests         429  too many failures: retry after `retry_after` seconds
    ├── InternalError           500
    └── Unavailable             503  retry after `retry_after` seconds
        ├── DatabaseLocked
        ├── StorageFull
        ├── StorageUnavailable
        └── Overloaded

Each class has an HTTP status and a stable code. Its title says what the error means, in words that clients may show.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class FieldError:
    """An error in one field. `pointer` is an RFC 6901 pointer as a URI fragment (`#/tags/3`), `code` is stable."""

    pointer: str
    code: str
    message: str


class BlogError(Exception):
    """Base of all errors. `detail` is a sentence for people and contains no secrets; the default is the title."""

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]
    retry_after: int | None = None

    def __init__(self, detail: str = "", *, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.detail = detail or f"{self.title}."
        self.errors = errors


class Malformed(BlogError):
    """The request cannot be parsed: the JSON, the form, the URL or the Host is invalid."""

    status, code, title = 400, "malformed", "The request is malformed"


class Unauthenticated(BlogError):
    status, code, title = 401, "unauthenticated", "A valid access token is required"


class WrongCredentials(Unauthenticated):
    """The same error for an unknown user, a wrong password and an inactive user: the caller must not learn which."""

    code, title = "wrong_credentials", "The username or the password is wrong"


class Forbidden(BlogError):
    """The caller may see the object, but may not do this to it."""

    status, code, title = 403, "forbidden", "You do not have permission to do this"


class RegistrationClosed(Forbidden):
    code, title = "registration_closed", "Registration is closed"


class NotFound(BlogError):
    """The object does not exist, or the caller may not know that it exists."""

    status, code, title = 404, "not_found", "Not found"


class MethodNotAllowed(BlogError):
    status, code, title = 405, "method_not_allowed", "This path does not support the method"


class BodyTooSlow(BlogError):
    status, code, title = 408, "body_too_slow", "The request body did not arrive in time"


class Conflict(BlogError):
    """The request is valid, but the current state of the data does not allow it."""

    status, code, title = 409, "conflict", "The request conflicts with the current data"


class UsernameTaken(Conflict):
    """Another user has this username; upper and lower case do not differ."""

    code, title = "username_taken", "This username is taken"


class EmailTaken(Conflict):
    """Another user has this e-mail address; upper and lower case do not differ."""

    code, title = "email_taken", "This e-mail address is taken"


class SlugTaken(Conflict):
    code, title = "slug_taken", "Another post has this slug"


class LastAdmin(Conflict):
    code, title = "last_admin", "The last active admin must remain"


class UserHasPosts(Conflict):
    code, title = "user_has_posts", "A user who has posts cannot be deleted"


class MediaInUse(Conflict):
    """Posts use the file as their cover image or link to it in their content."""

    code, title = "media_in_use", "Posts use this file"


class LengthRequired(BlogError):
    status, code, title = 411, "length_required", "An upload must have a Content-Length header"


class Stale(BlogError):
    """`If-Match` does not name the current version. `current` is the current resource, `etag` its entity tag."""

    status, code, title = 412, "stale", "The resource was changed after you read it"

    def __init__(self, current: Any = None, *, etag: str | None = None) -> None:
        super().__init__()
        self.current = current
        self.etag = etag


class TooLarge(BlogError):
    status, code, title = 413, "too_large", "The request body is too large"


class QuotaExceeded(TooLarge):
    """The user's files would exceed the storage that each user has."""

    code, title = "quota_exceeded", "There is no space left for your files"


class UnsupportedMedia(BlogError):
    status, code, title = 415, "unsupported_media_type", "The content type of the body is not supported"


class Invalid(BlogError):
    """The request can be parsed, but breaks a rule. `errors` says which fields are wrong."""

    status, code, title = 422, "validation_error", "The request is not valid"


class WrongPassword(Invalid):
    code, title = "wrong_password", "The password is wrong"

    def __init__(self) -> None:
        super().__init__(errors=[FieldError("#/current_password", self.code, "The password is wrong")])


class BadResetLink(Invalid):
    code, title = "reset_link_invalid", "The link is not valid, has expired, or was used before"

    def __init__(self) -> None:
        super().__init__(errors=[FieldError("#/token", self.code, self.title)])


class IdempotencyKeyReused(Invalid):
    code, title = "idempotency_key_reused", "This Idempotency-Key was used for a different request"


class TooManyRequests(BlogError):
    """The caller failed too often and must wait `retry_after` seconds."""

    status, code, title = 429, "too_many_requests", "Too many failures"

    def __init__(self, retry_after: int = 1) -> None:
        super().__init__(f"Too many failures: try again in {retry_after} second{'' if retry_after == 1 else 's'}.")
        self.retry_after = retry_after


class InternalError(BlogError):
    """A bug in the server. The log has the traceback under the request id."""

    status, code, title = 500, "internal_error", "Internal server error"


class Unavailable(BlogError):
    status, code, title = 503, "unavailable", "Temporarily unavailable"
    retry_after = 1


class DatabaseLocked(Unavailable):
    """Another writer locked the database for longer than the timeout."""

    code, title = "database_locked", "The database is busy"


class StorageFull(Unavailable):
    """The disk of the database or of the media is full."""

    code, title = "storage_full", "The storage is full"
    retry_after = 60


class StorageUnavailable(Unavailable):
    """The media storage does not answer, or refuses the access."""

    code, title = "storage_unavailable", "The media storage is not available"


class Overloaded(Unavailable):
    """A bounded queue is full."""

    code, title = "overloaded", "The server is overloaded"
