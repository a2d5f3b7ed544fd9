"""JSON responses with their entity tags and cache headers, and the precondition `If-Match`."""

import hashlib
import re
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from pydantic import BaseModel

PUBLIC = "public, max-age={}, must-revalidate"
PRIVATE = "private, no-store"
CONTENT_TYPE = "application/json; charset=utf-8"
_VERSIONS = re.compile(r'(?:^|,)\s*"(\d{1,18})-[^"]*"')


def render(data: Any) -> bytes:
    """Return `data` as JSON. Pydantic models in it are written with all their fields."""
    return orjson.dumps(data, default=_fields_of, option=orjson.OPT_UTC_Z)


def _fields_of(value: object) -> dict[str, Any]:
    if not isinstance(value, BaseModel):  # the attributes of another object, such as a user, may be secret
        raise TypeError(f"{type(value).__name__} is not a schema")
    return vars(value)


def etag(body: bytes, version: int | None = None) -> str:
    """Return a strong entity tag: the digest of the body, after the version of the resource if it has one."""
    digest = hashlib.blake2b(body, digest_size=12).hexdigest()
    return f'"{digest}"' if version is None else f'"{version}-{digest}"'


def if_match(request: HttpRequest) -> frozenset[int] | None:
    """Return the versions that `If-Match` names, or None if it sets no condition.

    A weak tag never matches (RFC 9110, 13.1.1).
    """
    value = request.headers.get("If-Match")
    if value is None or value.strip() == "*":
        return None
    return frozenset(int(version) for version in _VERSIONS.findall(value))


def json_response(
    request: HttpRequest, data: Any, *, version: int | None = None, response: HttpResponse | None = None
) -> HttpResponse:
    """Return the response with `data` as its body, or 304 if the client has it already.

    `version` is the version of a resource that has one: the entity tag begins with it, also in responses to writes.
    `response` holds a status and headers that were set before.
    """
    if response is None:
        response = HttpResponse(content_type=CONTENT_TYPE)
    response.content = body = render(data)
    is_read = request.method in ("GET", "HEAD")
    if is_read or version is not None:
        response["ETag"] = etag(body, version)
    is_public = is_read and getattr(getattr(request, "auth", None), "is_anonymous", False)
    response.headers.setdefault("Cache-Control", PUBLIC.format(settings.PUBLIC_MAX_AGE) if is_public else PRIVATE)
    response["Vary"] = "Authorization, Accept-Encoding"
    if is_read and "HTTP_IF_NONE_MATCH" in request.META:
        return get_conditional_response(request, etag=response["ETag"], response=response) or response
    return response
