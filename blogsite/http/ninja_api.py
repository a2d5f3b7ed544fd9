"""The promises of the API that ninja leaves open, kept in one place for all operations."""

import hashlib
import inspect
import json
import re
from collections.abc import Awaitable, Callable
from functools import cached_property, wraps
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.urls import URLPattern
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.operation import Operation
from ninja.parser import Parser
from ninja.renderers import BaseRenderer

from blogsite.errors import FieldError, Invalid, MethodNotAllowed, UnsupportedMedia
from blogsite.http import openapi, problems
from blogsite.http.schemas import Problem

JSON_TYPES = {"application/json", "application/merge-patch+json"}
PUBLIC = "public, max-age={}, must-revalidate"
PRIVATE = "private, no-store"
_VERSIONS = re.compile(r'(?:^|,)\s*"(\d{1,18})-[^"]*"')

Run = Callable[..., Awaitable[HttpResponseBase]]


class BlogAPI(NinjaAPI):
    """A NinjaAPI that refuses what it does not know, and answers every error with a problem.

    HEAD is answered as GET, OPTIONS with `Allow` (RFC 9110, 9.3). Answers carry `Cache-Control`; those that a client
    may keep carry a strong `ETag`, and `If-None-Match` is honoured. `operationId` is the endpoint's name.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(parser=_JSONParser(), renderer=_JSONRenderer(), docs_decorator=require_safe, **options)
        self.add_exception_handler(Exception, problems.respond)
        for handled in list(self._exception_handlers):
            self.add_exception_handler(handled, problems.respond)
        self.add_decorator(_refuse_unknown_query, mode="view")

    @property
    def urls(self) -> tuple[list[Any], str, str]:
        patterns, app_name, namespace = super().urls
        return [_with_all_methods(pattern) for pattern in patterns], app_name, namespace

    def create_response(
        self,
        request: HttpRequest,
        data: Any,
        *,
        status: int | None = None,
        temporal_response: HttpResponse | None = None,
    ) -> HttpResponse:
        response = super().create_response(request, data, status=status, temporal_response=temporal_response)
        version = data.get("version") if isinstance(data, dict) else None
        reading = request.method in ("GET", "HEAD")
        if reading or version is not None:
            response["ETag"] = etag(response.content, version)
        anonymous = getattr(getattr(request, "auth", None), "is_anonymous", False)
        public = PUBLIC.format(settings.PUBLIC_MAX_AGE) if anonymous and reading else PRIVATE
        response.headers.setdefault("Cache-Control", public)
        response["Vary"] = "Authorization, Accept-Encoding"
        if status == 204:
            del response["Content-Type"]
        if reading and "HTTP_IF_NONE_MATCH" in request.META:
            return get_conditional_response(request, etag=response["ETag"], response=response) or response
        return response

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    def get_openapi_schema(self, **options: Any) -> dict[str, Any]:  # type: ignore[override]
        return self._document

    @cached_property
    def _document(self) -> dict[str, Any]:
        document = super().get_openapi_schema()
        document["components"]["schemas"].setdefault("Problem", Problem.model_json_schema(mode="serialization"))
        for path in document["paths"].values():
            for method, operation in path.items():
                if operation["operationId"] in self._open_to_anybody():
                    operation["security"].append({})
                openapi.complete(method, operation)
        return document

    def _open_to_anybody(self) -> set[str]:
        """The operations that ask for a token and do without: one of their callbacks has no security scheme."""
        operations = (
            operation
            for router in self._get_bound_routers()
            for view in router.path_operations.values()
            for operation in view.operations
        )
        return {
            operation.view_func.__name__
            for operation in operations
            if any(not hasattr(auth, "openapi_security_schema") for auth in operation.auth_callbacks)
        }


class _JSONParser(Parser):
    def parse_body(self, request: HttpRequest) -> Any:
        if request.content_type not in JSON_TYPES:
            raise UnsupportedMedia("Send JSON, as Content-Type: application/json.")
        # `json` and not `orjson`: a lone surrogate is text that cannot be stored (422), not JSON that cannot be read.
        return json.loads(request.body.decode(), parse_constant=_refuse_constant)


class _JSONRenderer(BaseRenderer):
    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return render(data)


def render(output: Any) -> bytes:
    """An output, or its fields, as the JSON that is sent."""
    return orjson.dumps(output, default=vars, option=orjson.OPT_UTC_Z)


def etag(body: bytes, version: int | None) -> str:
    """A strong entity tag: of the body, and before it the version, if the thing has one."""
    digest = hashlib.blake2b(body, digest_size=12).hexdigest()
    return f'"{digest}"' if version is None else f'"{version}-{digest}"'


def if_match(request: HttpRequest) -> frozenset[int] | None:
    """The versions that `If-Match` names, or None if it asks nothing (RFC 9110, 13.1.1: a weak tag never matches)."""
    asked = request.headers.get("If-Match")
    if asked is None or asked.strip() == "*":
        return None
    return frozenset(int(version) for version in _VERSIONS.findall(asked))


def only_parts(request: HttpRequest, *, texts: set[str], files: set[str]) -> None:
    """Raise `Invalid` for a form with any other part than these, or with one of them twice."""
    wrong: dict[str, str] = {}
    for parts, known in ((request.POST, texts), (request.FILES, files)):
        wrong |= {name: "unknown" for name in parts if name not in known}
        wrong |= {name: "repeated" for name in known if len(parts.getlist(name)) > 1}
    if wrong:
        message = (
            f"The form has {', '.join(sorted(texts))} as text and {', '.join(sorted(files))} as a file, once each."
        )
        raise Invalid(errors=[FieldError(problems.pointer([name]), code, message) for name, code in wrong.items()])


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")  # RFC 8259 has no NaN and no Infinity


def _refuse_unknown_query(run: Run) -> Run:
    operation: Operation = run.__self__  # type: ignore[attr-defined]
    known = {
        name
        for model in operation.models
        if model.__ninja_param_source__ == "query"
        for name in model.__ninja_flatten_map__
    }

    takes_form = any(model.__ninja_param_source__ == "file" for model in operation.models)

    @wraps(run)
    async def refuse_unknown(request: HttpRequest, **params: Any) -> HttpResponseBase:
        if unknown := request.GET.keys() - known:
            message = f"The parameters are {', '.join(sorted(known))}." if known else "There are no parameters."
            fields = [FieldError(problems.pointer(["query", name]), "unknown", message) for name in sorted(unknown)]
            return problems.respond(request, Invalid(errors=fields))
        response = await run(request, **params)
        if takes_form and response.status_code == 422 and request.content_type != "multipart/form-data":
            return problems.respond(request, UnsupportedMedia("Send a form, as Content-Type: multipart/form-data."))
        return response

    return refuse_unknown


def _with_all_methods(pattern: Any) -> URLPattern:
    """The pattern with HEAD, OPTIONS and the wrong methods answered as the contract says."""
    view = pattern.callback

    @wraps(view)
    async def any_method(request: HttpRequest, *args: Any, **params: Any) -> HttpResponseBase:
        asked, request.method = request.method, "GET" if request.method == "HEAD" else request.method
        response: HttpResponseBase = view(request, *args, **params)
        if inspect.isawaitable(response):
            response = await response
        request.method = asked
        if isinstance(response, HttpResponseNotAllowed):
            allowed = {method.strip() for method in response["Allow"].split(",")} | {"OPTIONS"}
            allowed |= {"HEAD"} if "GET" in allowed else set()
            refusal = problems.respond(request, MethodNotAllowed())
            response = _nothing() if asked == "OPTIONS" else refusal
            response["Allow"] = ", ".join(sorted(allowed))
        return response

    any_method.csrf_exempt = True  # type: ignore[attr-defined] # bearer tokens only: nothing rides on a cookie
    return URLPattern(pattern.pattern, any_method, pattern.default_args, pattern.name)


def _nothing() -> HttpResponse:
    response = HttpResponse(status=204)
    del response["Content-Type"]
    return response
