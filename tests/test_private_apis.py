"""The undocumented APIs of Django, django-ninja and asgiref that the product uses, and a check that each still exists.

An upgrade may move or rename an undocumented API without notice. Each entry names one, says where the product uses it
and why. uvicorn is not in the list: the product uses only its documented function `uvicorn.run`.
"""

import ast
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import ThreadSensitiveContext
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.handlers import asgi as asgi_handlers
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.base import BaseHandler
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import base as model_base
from django.db.models.base import ModelState
from django.db.models.sql.compiler import SQLCompiler
from django.db.models.sql.datastructures import Join
from django.db.models.sql.query import Query
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import URLPattern
from django.utils import cache
from django.utils.log import log_response
from ninja import NinjaAPI
from ninja.operation import Operation, PathView
from ninja.params.models import ParamModel

from accounts.models import User
from blogsite.api import api as product_api
from posts.models import Post

ROOT = Path(__file__).parent.parent
PRODUCT = ("accounts", "blogsite", "posts")
DOCUMENTED = {"_meta", "_state", "_make", "_replace", "_asdict"}
"""Names that begin with an underscore and are documented: `Model._meta`, `Model._state`, and those of namedtuples."""


@dataclass(frozen=True)
class PrivateAPI:
    """An attribute of a library's class, instance or module that the library does not document.

    `parameters` are the names that the product passes by, or the order in which it passes values.
    """

    library: str
    owner: Callable[[], object]
    name: str
    used_in: str
    reason: str
    parameters: tuple[str, ...] = ()


def executed_compiler() -> SQLCompiler:
    """A compiler that has compiled a query with a related model: it sets these attributes only then."""
    compiler: SQLCompiler = Post.objects.select_related("author").query.get_compiler(connection=connection)
    compiler.as_sql()
    return compiler


def query_parameters() -> object:
    """The model of an operation's query parameters, as ninja has built it."""
    return next(
        model for operation in operations() for model in operation.models if model.__ninja_param_source__ == "query"
    )


def path_view() -> PathView:
    view: PathView = next(view for router in bound_routers() for view in router.path_operations.values())
    return view


def operations() -> Iterator[Operation]:
    return (
        operation
        for router in bound_routers()
        for view in router.path_operations.values()
        for operation in view.operations
    )


def bound_routers() -> list[Any]:
    return list(product_api._get_bound_routers())


HANDLER = "blogsite/serving/api_handler.py"
NINJA = "blogsite/http/ninja_api.py"
COMPILED = "blogsite/db/compiled_queries.py"
SEARCH = "posts/search/matching.py"
THREADS = "blogsite/serving/database_threads.py"
USERS = "accounts/models.py"

PRIVATE_APIS = [
    PrivateAPI(
        *("django", lambda: ASGIHandler, "_get_response_async", HANDLER),
        "APIHandler calls the view through it, without any middleware.",
        ("self", "request"),
    ),
    PrivateAPI(
        *("django", lambda: ASGIHandler, "get_response_async", HANDLER),
        "APIHandler replaces it, to turn every error into a problem.",
        ("self", "request"),
    ),
    PrivateAPI(
        *("django", lambda: ASGIHandler, "create_request", HANDLER),
        "APIHandler makes the request from the scope and the body; the result is a pair.",
        ("self", "scope", "body_file"),
    ),
    PrivateAPI(
        *("django", lambda: ASGIHandler, "load_middleware", HANDLER),
        "APIHandler replaces it, so that no middleware is loaded.",
        ("self", "is_async"),
    ),
    *(
        PrivateAPI("django", lambda: BaseHandler, name, HANDLER, "APIHandler sets it to an empty list.")
        for name in ("_view_middleware", "_template_response_middleware", "_exception_middleware")
    ),
    PrivateAPI(
        *("django", lambda: asgi_handlers, "get_script_prefix", HANDLER),
        "APIHandler reads the prefix of the path as the stock handler does.",
        ("scope",),
    ),
    PrivateAPI(
        *("django", lambda: cache, "get_conditional_response", "blogsite/http/responses.py"),
        "It compares `If-None-Match` with the ETag and makes the 304.",
        ("request", "etag", "last_modified", "response"),
    ),
    PrivateAPI(
        *("django", lambda: URLPattern, "__init__", NINJA),
        "The API wraps each view of ninja, and makes the pattern again with these arguments.",
        ("self", "pattern", "callback", "default_args", "name"),
    ),
    PrivateAPI(
        *("django", Post.objects.all, "_fields", COMPILED),
        "It tells a QuerySet of `values_list()` from one of model instances.",
    ),
    PrivateAPI(
        *("django", lambda: Query, "get_compiler", COMPILED),
        "A compiled query takes its SQL and its parameters from the compiler.",
        ("self", "using", "connection", "elide_empty"),
    ),
    PrivateAPI("django", executed_compiler, "select", COMPILED, "The columns of a row, in their order."),
    PrivateAPI("django", executed_compiler, "klass_info", COMPILED, "Which columns belong to which model instance."),
    PrivateAPI("django", executed_compiler, "annotation_col_map", COMPILED, "The column of each annotation."),
    PrivateAPI(
        *("django", lambda: SQLCompiler, "get_converters", COMPILED),
        "The functions that turn a column's value into Python's.",
        ("self", "expressions"),
    ),
    PrivateAPI(
        *("django", lambda: connection.ops, "adapt_datetimefield_value", COMPILED),
        "The current time as a parameter of SQL.",
        ("value",),
    ),
    PrivateAPI(
        *("django", lambda: model_base, "ModelState", "blogsite/db/loading.py"),
        "The state of an instance that was made without `__init__`.",
    ),
    PrivateAPI("django", lambda: Post.objects.all().query, "alias_map", SEARCH, "The tables that a query joins."),
    PrivateAPI(
        *("django", lambda: Join, "__init__", SEARCH),
        "Search puts a join of its own in place of Django's, with the same values.",
        (
            *("self", "table_name", "parent_alias", "table_alias", "join_type", "join_field"),
            *("nullable", "filtered_relation"),
        ),
    ),
    PrivateAPI("django", lambda: Join, "identity", SEARCH, "Two joins with another identity are not merged."),
    PrivateAPI(
        *("django", lambda: Join, "relabeled_clone", SEARCH),
        "Django copies a join with it when it combines queries.",
        ("self", "change_map"),
    ),
    PrivateAPI(
        *("django", lambda: BaseDatabaseWrapper, "close_if_unusable_or_obsolete", THREADS),
        "Closes a broken or old connection at the start of a lease, as `request_started` would.",
        ("self",),
    ),
    PrivateAPI(
        *("django", lambda: AbstractBaseUser, "_password", USERS),
        "Tells that `set_password` gave the user a new password since it was stored.",
    ),
    PrivateAPI("django", lambda: User.objects, "_db", USERS, "The database that a manager was told to use."),
    PrivateAPI(
        *("ninja", lambda: NinjaAPI(urls_namespace="private-apis"), "_exception_handlers", NINJA),
        "The handlers that ninja sets by default are all replaced by ours.",
    ),
    PrivateAPI(
        *("ninja", lambda: NinjaAPI, "_get_bound_routers", NINJA),
        "To find the operations for which a token is optional.",
        ("self",),
    ),
    PrivateAPI("ninja", lambda: bound_routers()[0], "path_operations", NINJA, "The views of a router."),
    PrivateAPI("ninja", path_view, "operations", NINJA, "The operations of a view."),
    PrivateAPI(
        *("ninja", lambda: next(operations()), "auth_callbacks", NINJA),
        "The callbacks of an operation tell whether its token is optional.",
    ),
    PrivateAPI("ninja", lambda: next(operations()), "view_func", NINJA, "The endpoint's name is the `operationId`."),
    PrivateAPI("ninja", lambda: next(operations()), "models", NINJA, "The models of an operation's parameters."),
    PrivateAPI(
        *("ninja", lambda: ParamModel, "__ninja_param_source__", NINJA),
        "Tells the model of the query parameters from those of the path and the body.",
    ),
    PrivateAPI(
        *("ninja", query_parameters, "__ninja_flatten_map__", NINJA),
        "The names of the query parameters: another name is refused.",
    ),
    PrivateAPI(
        *("ninja", lambda: NinjaAPI, "create_response", NINJA),
        "The API adds the headers to every response here.",
        ("self", "request", "data", "status", "temporal_response"),
    ),
    PrivateAPI(
        *("ninja", lambda: NinjaAPI, "get_openapi_operation_id", NINJA),
        "The API replaces it: the `operationId` is the endpoint's name.",
        ("self", "operation"),
    ),
    PrivateAPI(
        *("asgiref", lambda: ThreadSensitiveContext, "__init__", THREADS),
        "A request runs its database work on the thread that it leased, given as `executor`.",
        ("self", "executor"),
    ),
]


@pytest.mark.parametrize("private", PRIVATE_APIS, ids=lambda private: f"{private.library}-{private.name}")
def test_library_still_has_the_private_api(private: PrivateAPI) -> None:
    advice = (
        f"{private.used_in} uses it: {private.reason} Read the release notes of {private.library}, "
        "then change that module and the list in this file."
    )
    owner = private.owner()
    assert hasattr(owner, private.name), f"{private.library} has moved or renamed `{private.name}`. {advice}"
    if private.parameters:
        found = tuple(inspect.signature(getattr(owner, private.name)).parameters)
        assert found == private.parameters, f"`{private.name}` of {private.library} has other parameters. {advice}"


@pytest.mark.parametrize("private", PRIVATE_APIS, ids=lambda private: f"{private.library}-{private.name}")
def test_product_still_uses_the_private_api(private: PrivateAPI) -> None:
    name = private.owner().__name__ if private.name == "__init__" else private.name  # type: ignore[attr-defined] # a class
    message = f"{private.used_in} does not use `{name}` any more: remove or correct its entry in this file."
    assert name in (ROOT / private.used_in).read_text(), message


def test_compiler_describes_the_instances_of_a_row() -> None:
    info = executed_compiler().klass_info
    assert info, "SQLCompiler.klass_info is empty after compiling: see the loader in blogsite/db/compiled_queries.py."
    assert {"model", "select_fields", "related_klass_infos"} <= info.keys()
    assert {"model", "select_fields", "local_setter"} <= info["related_klass_infos"][0].keys()


def test_model_state_has_the_attributes_that_a_loaded_instance_needs() -> None:
    assert ModelState.adding is True, "FastLoadingModel replaces `adding` by False."
    assert ModelState.db is None, "FastLoadingModel sets `db`."


def test_django_does_not_log_a_response_that_is_marked_as_logged(caplog: pytest.LogCaptureFixture) -> None:
    response = HttpResponse(status=500)
    response._has_been_logged = True  # type: ignore[attr-defined] # what the product sets in blogsite/http/problems.py
    log_response("An error", response=response, request=RequestFactory().get("/"))
    message = "Django ignores `_has_been_logged`: blogsite/http/problems.py sets it, to log an error only once."
    assert caplog.messages == [], message


def test_ninja_passes_a_bound_run_method_to_view_decorators() -> None:
    """The API finds the operation of a view in `run.__self__`, to know the parameters that it takes."""
    api = NinjaAPI(urls_namespace="view-decorators")
    owners: list[object] = []

    def decorator(run: Any) -> Any:
        owners.append(getattr(run, "__self__", None))
        return run

    def endpoint(request: Any) -> None: ...

    api.add_decorator(decorator, mode="view")
    api.get("/")(endpoint)
    assert api.urls
    assert [type(owner) for owner in owners] == [Operation], "blogsite/http/ninja_api.py reads `run.__self__`."


def test_every_private_attribute_in_the_product_is_listed() -> None:
    """Finds `x._name`, `getattr(x, "_name")` and `from library import _name`, where no file of ours defines `_name`."""
    listed = {private.name for private in PRIVATE_APIS} | {"_has_been_logged"}
    unlisted = []
    for path in product_files():
        tree = ast.parse(path.read_text())
        allowed = listed | DOCUMENTED | set(defined_names(tree))
        unlisted += [
            f"{path.relative_to(ROOT)}:{line}: {name}" for line, name in private_names(tree) if name not in allowed
        ]
    assert unlisted == [], "Use a documented API, or add an entry to PRIVATE_APIS."


def product_files() -> list[Path]:
    files = [path for package in PRODUCT for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts]
    assert len(files) > 50
    return files


def is_private(name: str) -> bool:
    return name.startswith("__ninja_") or (name.startswith("_") and not name.startswith("__"))


def private_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line and the name of each private attribute or import."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name) if is_private(name):
                yield node.lineno, name
            case ast.Call(
                func=ast.Name(id="getattr" | "setattr" | "hasattr"), args=[_, ast.Constant(value=str(name)), *_]
            ) if is_private(name):
                yield node.lineno, name
            case ast.ImportFrom(names=names):
                yield from ((node.lineno, alias.name) for alias in names if is_private(alias.name))


def defined_names(tree: ast.AST) -> Iterator[str]:
    """The names of functions, classes and variables, and of attributes that a method assigns to `self` or `cls`."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
                yield name
