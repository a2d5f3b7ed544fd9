"""The NinjaAPI subclass that adds what Blogsite's API promises for all operations alike."""

import inspect
from collections.abc import Awaitable, Callable
from functools import cached_property, wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.urls import URLPattern
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.operation import Operation

from blogsite.errors import FieldError, Invalid, MethodNotAllowed, UnsupportedMedia
from blogsite.http import openapi, problems
from blogsite.http.request_bodies import JSONParser
from blogsite.http.responses import json_response
from blogsite.http.schemas import Problem

Run = Callable[..., Awaitable[HttpResponseBase]]


class BlogAPI(NinjaAPI):
    """A NinjaAPI that rejects unknown input, and answers every error with a problem (RFC 9457).

    It answers HEAD like GET, and OPTIONS with `Allow` (RFC 9110, 9.3). JSON responses have `Cache-Control`; those to
    GET have a strong `ETag` and honour `If-None-Match`. The `operationId` of an operation is the name of its endpoint.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(parser=JSONParser(), docs_decorator=require_safe, **options)
        self.add_exception_handler(Exception, problems.respond)
        for handled in list(self._exception_handlers):
            self.add_exception_handler(handled, problems.respond)
        self.add_decorator(_reject_unknown_query, mode="view")

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
        return json_response(request, data, response=temporal_response or HttpResponse(status=status))

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    def get_openapi_schema(self, **options: Any) -> dict[str, Any]:  # type: ignore[override]
        return self._document

    @cached_property
    def _document(self) -> dict[str, Any]:
        document = super().get_openapi_schema()
        document["components"]["schemas"].setdefault("Problem", Problem.model_json_schema(mode="serialization"))
        with_optional_token = self._with_optional_token()
        for path in document["paths"].values():
            for method, operation in path.items():
                if operation["operationId"] in with_optional_token:
                    operation["security"].append({})
                openapi.add_implied_responses(method, operation)
        return document

    def _with_optional_token(self) -> set[str]:
        """Return the names of the operations whose token is optional: one of their callbacks has no security scheme."""
        views = (view for router in self._get_bound_routers() for view in router.path_operations.values())
        return {
            operation.view_func.__name__
            for view in views
            for operation in view.operations
            if any(not hasattr(auth, "openapi_security_schema") for auth in operation.auth_callbacks)
        }


def _reject_unknown_query(run: Run) -> Run:
    operation: Operation = run.__self__  # type: ignore[attr-defined]
    queries = (model for model in operation.models if model.__ninja_param_source__ == "query")
    known = {name for model in queries for name in model.__ninja_flatten_map__}
    takes_form = any(model.__ninja_param_source__ == "file" for model in operation.models)

    @wraps(run)
    async def reject_unknown(request: HttpRequest, **params: Any) -> HttpResponseBase:
        if unknown := request.GET.keys() - known:
            message = f"The parameters are {', '.join(sorted(known))}." if known else "There are no parameters."
            fields = [FieldError(problems.pointer(["query", name]), "unknown", message) for name in sorted(unknown)]
            return problems.respond(request, Invalid(errors=fields))
        response = await run(request, **params)
        if takes_form and response.status_code == 422 and request.content_type != "multipart/form-data":
            return problems.respond(request, UnsupportedMedia("Send a form, as Content-Type: multipart/form-data."))
        return response

    return reject_unknown


def _with_all_methods(pattern: Any) -> URLPattern:
    """Return the pattern with a view that also answers HEAD, OPTIONS and methods that are not allowed."""
    view = pattern.callback

    @wraps(view)
    async def any_method(request: HttpRequest, *args: Any, **params: Any) -> HttpResponseBase:
        method, request.method = request.method, "GET" if request.method == "HEAD" else request.method
        response: HttpResponseBase = view(request, *args, **params)
        if inspect.isawaitable(response):
            response = await response
        request.method = method
        if isinstance(response, HttpResponseNotAllowed):
            allowed = {method.strip() for method in response["Allow"].split(",")} | {"OPTIONS"}
            allowed |= {"HEAD"} if "GET" in allowed else set()
            response = problems.respond(request, MethodNotAllowed())
            if method == "OPTIONS":
                response = HttpResponse(status=204)
                del response["Content-Type"]
            response["Allow"] = ", ".join(sorted(allowed))
        return response

    any_method.csrf_exempt = True  # type: ignore[attr-defined] # clients authenticate by bearer token, never by cookie
    return URLPattern(pattern.pattern, any_method, pattern.default_args, pattern.name)
