"""Everything that can go wrong in the domain, as exceptions that know no HTTP library.

    BlogError
    ├── Malformed               400  the request cannot be read
    ├── Unauthenticated         401  no token, or a bad one
    │   └── WrongCredentials
    ├── Forbidden               403  seen, but not allowed
    │   └── RegistrationClosed
    ├── NotFound                404  not there, or not yours to see
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
    ├── Stale                   412  the thing was changed since the client read it
    ├── TooLarge                413
    │   └── QuotaExceeded
    ├── UnsupportedMedia        415
    ├── Invalid                 422  understood, but wrong: `errors` names each field
    │   ├── WrongPassword
    │   ├── BadResetLink
    │   └── IdempotencyKeyReused
    ├── TooManyRequests         429  too many failures: try again, after `retry_after` seconds
    ├── InternalError           500
    └── Unavailable             503  try again, after `retry_after` seconds
        ├── DatabaseLocked
        ├── StorageFull
        ├── StorageUnavailable
        └── Overloaded

Each class carries its status, its stable code and its title; `blogsite.http.problems` alone turns them into answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field: an RFC 6901 pointer as a URI fragment (`#/tags/3`), a stable code, a sentence."""

    pointer: str
    code: str
    message: str


class BlogError(Exception):
    """Any error of the domain. `detail` is a sentence for people, without secrets."""

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]
    retry_after: int | None = None

    def __init__(self, detail: str = "", *, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.detail = detail or f"{self.title}."
        self.errors = errors


class Malformed(BlogError):
    """The request cannot be read: broken JSON, a bad host, a broken form."""

    status, code, title = 400, "malformed", "Malformed request"


class Unauthenticated(BlogError):
    """The call needs a token, or the token given is not a good one."""

    status, code, title = 401, "unauthenticated", "A valid access token is needed"


class WrongCredentials(Unauthenticated):
    """There is no such user, or not with this password, or not an active one: nobody learns which."""

    code, title = "wrong_credentials", "The name or the password is wrong"


class Forbidden(BlogError):
    """The caller may see the thing and may not do this to it."""

    status, code, title = 403, "forbidden", "Not allowed"


class RegistrationClosed(Forbidden):
    """Registration is turned off by a setting."""

    code, title = "registration_closed", "Registration is closed"


class NotFound(BlogError):
    """The thing does not exist, or the caller may not know that it does."""

    status, code, title = 404, "not_found", "Not found"


class MethodNotAllowed(BlogError):
    """The path exists and does not answer to this method."""

    status, code, title = 405, "method_not_allowed", "Method not allowed"


class BodyTooSlow(BlogError):
    """The body did not arrive in time."""

    status, code, title = 408, "body_too_slow", "The request body came too slowly"


class Conflict(BlogError):
    """The request is right and the state of the blog says no."""

    status, code, title = 409, "conflict", "Conflict"


class UsernameTaken(Conflict):
    """Another user has this name, in some case of letters."""

    code, title = "username_taken", "This username is taken"


class EmailTaken(Conflict):
    """Another user has this e-mail address, in some case of letters."""

    code, title = "email_taken", "This e-mail address is taken"


class SlugTaken(Conflict):
    """Another post has this slug."""

    code, title = "slug_taken", "This slug is taken"


class LastAdmin(Conflict):
    """The last active admin cannot be demoted, deactivated or deleted."""

    code, title = "last_admin", "The last active admin must remain"


class UserHasPosts(Conflict):
    """A user who has posts cannot be deleted before somebody else takes them."""

    code, title = "user_has_posts", "This user still has posts"


class MediaInUse(Conflict):
    """Posts show this file: as their cover image, or by its address in their text."""

    code, title = "media_in_use", "Posts use this file"


class LengthRequired(BlogError):
    """An upload must say how long it is."""

    status, code, title = 411, "length_required", "Content-Length is required"


class Stale(BlogError):
    """`If-Match` does not name the current version. `current` is the resource as it is now, `etag` its entity tag."""

    status, code, title = 412, "stale", "It was changed since you read it"

    def __init__(self, current: Any = None, *, etag: str | None = None) -> None:
        super().__init__()
        self.current = current
        self.etag = etag


class TooLarge(BlogError):
    """The body is longer than this path takes."""

    status, code, title = 413, "too_large", "The request body is too large"


class QuotaExceeded(TooLarge):
    """The user's files would take more than each user has."""

    code, title = "quota_exceeded", "There is no space left for your files"


class UnsupportedMedia(BlogError):
    """The body is of a type that this path does not read."""

    status, code, title = 415, "unsupported_media_type", "Unsupported media type"


class Invalid(BlogError):
    """The request was understood and breaks a rule; `errors` says where."""

    status, code, title = 422, "validation_error", "The request is not valid"


class WrongPassword(Invalid):
    """The password that was to confirm a change is not the user's."""

    code, title = "wrong_password", "The password is wrong"

    def __init__(self) -> None:
        super().__init__(errors=[FieldError("#/current_password", "wrong_password", "This is not your password")])


class BadResetLink(Invalid):
    """The link of a password reset is wrong, too old, or was used before."""

    code, title = "reset_link_invalid", "The link is wrong, too old, or was used before"

    def __init__(self) -> None:
        super().__init__(errors=[FieldError("#/token", "reset_link_invalid", f"{self.title}")])


class IdempotencyKeyReused(Invalid):
    """This `Idempotency-Key` came with another request before."""

    code, title = "idempotency_key_reused", "This Idempotency-Key came with another request before"


class TooManyRequests(BlogError):
    """After too many failures: wait `retry_after` seconds."""

    status, code, title = 429, "too_many_requests", "Too many failures"

    def __init__(self, retry_after: int = 1) -> None:
        super().__init__(f"Too many failures: try again in {retry_after} second{'' if retry_after == 1 else 's'}.")
        self.retry_after = retry_after


class InternalError(BlogError):
    """A mistake of ours. The log has the traceback, under the same request id."""

    status, code, title = 500, "internal_error", "Something went wrong on our side"


class Unavailable(BlogError):
    """The server cannot answer now."""

    status, code, title = 503, "unavailable", "Temporarily unavailable"
    retry_after = 1


class DatabaseLocked(Unavailable):
    """Another writer kept the database for longer than the timeout."""

    code, title = "database_locked", "The database is busy"


class StorageFull(Unavailable):
    """The disk of the database or of the media is full."""

    code, title = "storage_full", "The storage is full"
    retry_after = 60


class StorageUnavailable(Unavailable):
    """The storage of the media does not answer, or refuses us."""

    code, title = "storage_unavailable", "The storage of the files does not answer"


class Overloaded(Unavailable):
    """A bounded queue is full."""

    code, title = "overloaded", "Too much work at once"
