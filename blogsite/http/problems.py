"""Turns every error into an HTTP response of type `application/problem+json` (RFC 9457)."""

import errno
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import ninja.errors
import orjson
from django.conf import settings
from django.core import exceptions
from django.db import DatabaseError, IntegrityError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.urls import Resolver404
from django.views import defaults

from blogsite import errors
from blogsite.errors import BlogError, FieldError

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
# https://sqlite.org/rescode.html and https://www.postgresql.org/docs/current/errcodes-appendix.html
# (lock_not_available, deadlock_detected, disk_full)
_LOCKED = {"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_BUSY_SNAPSHOT", "SQLITE_LOCKED_SHAREDCACHE", "55P03", "40P01"}
_FOREIGN_KEY = {"SQLITE_CONSTRAINT", "SQLITE_CONSTRAINT_FOREIGNKEY", "23503"}  # the first at the end of a transaction
_FULL = {"SQLITE_FULL", "53100"}


class ErrorWithHeaders(Exception):
    """An error whose response has additional headers, such as `RateLimit`."""

    def __init__(self, error: Exception, headers: Mapping[str, str]) -> None:
        super().__init__(error)
        self.error = error
        self.headers = headers


def translate(exc: Exception) -> BlogError:
    """Return the domain error for `exc`; for an unexpected exception, this is `InternalError`."""
    match exc:
        case BlogError():
            return exc
        case ninja.errors.ValidationError():
            return errors.Invalid(errors=[_field_error(error) for error in exc.errors])
        case ninja.errors.HttpError() if isinstance(exc.__cause__, BlogError):
            return exc.__cause__  # raised by our parser, and wrapped by ninja
        case ninja.errors.AuthenticationError():
            return errors.Unauthenticated()
        case ninja.errors.HttpError(status_code=400):
            return errors.Malformed("The body is not valid JSON.")
        case Resolver404():
            return errors.NotFound("Nothing is served at this URL.")
        case Http404() | exceptions.ObjectDoesNotExist():
            return errors.NotFound()
        case exceptions.PermissionDenied():
            return errors.Forbidden()
        case exceptions.RequestDataTooBig():
            return errors.TooLarge()
        case exceptions.DisallowedHost():
            return errors.Malformed("This server does not serve that Host.")
        case exceptions.SuspiciousOperation() | MultiPartParserError():
            return errors.Malformed()
        case IntegrityError() if _reason(exc) in _FOREIGN_KEY:
            return errors.Conflict("An object to which this one refers was deleted in the meantime.")
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):  # Django's parser could not write an uploaded file
            return errors.StorageFull()
        case OperationalError() if _reason(exc) in _LOCKED:
            return errors.DatabaseLocked()
        case OperationalError() if _reason(exc) in _FULL:
            return errors.StorageFull()
        case OperationalError() if not (_reason(exc) or "").startswith("SQLITE_"):
            logger.warning("The database does not answer: %s", exc)
            return errors.Unavailable("The database does not answer.")
        case _:  # also other errors of SQLite, such as a missing table: a retry does not help
            return errors.InternalError()


def body(error: BlogError, request_id: str) -> bytes:
    """Return the body of the response to `error`: the schema `Problem` in JSON."""
    name = error.code.removesuffix("_error").replace("_", "-")
    problem = {
        "type": f"{settings.BLOG_URL}/problems/{name}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id,
        "errors": error.errors,
    }
    return orjson.dumps(problem)


def headers(error: BlogError) -> dict[str, str]:
    """Return the headers of the response to `error`."""
    result = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"}
    if error.status == 401:
        result["WWW-Authenticate"] = "Bearer"
    if isinstance(error, errors.Stale) and error.etag:
        result["ETag"] = error.etag
    if error.retry_after is not None:
        result["Retry-After"] = str(error.retry_after)
    return result


def respond(request: HttpRequest, exc: Exception | type[Exception]) -> HttpResponse:
    """Return the response to `exc`. An unexpected exception is logged with its traceback."""
    exc = exc if isinstance(exc, Exception) else exc()
    exc, additional = (exc.error, exc.headers) if isinstance(exc, ErrorWithHeaders) else (exc, {})
    error = translate(exc)
    request_id = request.headers.get("X-Request-ID", "")
    if error is not exc and error.status == 500:
        logger.error("%s %s failed (request %s)", request.method, request.path, request_id, exc_info=exc)
    response = HttpResponse(body(error, request_id), status=error.status, headers={**headers(error), **additional})
    response._has_been_logged = True  # type: ignore[attr-defined] # Django must not log it again, without the traceback
    return response


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's `handler404`."""
    is_api = request.path.startswith("/api/")
    return respond(request, exception) if is_api else defaults.page_not_found(request, exception)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's `handler400`."""
    is_api = request.path.startswith("/api/")
    return respond(request, exception) if is_api else defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's `handler500`. Django has already logged the error."""
    is_api = request.path.startswith("/api/")
    return respond(request, errors.InternalError()) if is_api else defaults.server_error(request)


def _reason(exc: DatabaseError) -> str | None:
    """Return the name of the error in SQLite, or its code in PostgreSQL."""
    on_sqlite: str | None = getattr(exc.__cause__, "sqlite_errorname", None)
    return on_sqlite or getattr(exc.__cause__, "sqlstate", None)


def _field_error(error: Mapping[str, Any]) -> FieldError:
    source, *path = error["loc"]
    # Ninja inserts the name of the endpoint's parameter, which means nothing to a client.
    path = path[1:] if source == "body" or (source == "query" and len(path) > 2) else path
    path = path if source in ("body", "form", "file") else [source, *path]
    return FieldError(pointer(path), error["type"], error["msg"])


def pointer(path: Sequence[str | int]) -> str:
    """Return the RFC 6901 pointer to `path`, as a URI fragment."""
    return "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
