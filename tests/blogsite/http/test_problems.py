"""Every error response under `/api/` is a problem (RFC 9457), whatever raised the error."""

import errno
import logging
from unittest.mock import patch

import pytest
from django.db import IntegrityError, OperationalError
from django.test import Client

from accounts.models import User
from blogsite import errors
from blogsite.http import problems
from posts.models import Post
from posts.services import create_post
from tests.client import Api, assert_problem
from tests.factories import make_author


class _SQLiteError(Exception):
    sqlite_errorname = ""


def _sqlite(name: str) -> OperationalError:
    cause = _SQLiteError()
    cause.sqlite_errorname = name
    error = OperationalError(name)
    error.__cause__ = cause
    return error


class _PostgreSQLError(Exception):
    sqlstate: str | None = None


def _postgresql(state: str | None) -> OperationalError:
    cause = _PostgreSQLError()
    cause.sqlstate = state
    error = OperationalError(state)
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("exc", "error"),
    [
        (_sqlite("SQLITE_BUSY"), errors.DatabaseLocked),
        (_sqlite("SQLITE_FULL"), errors.StorageFull),
        (_sqlite("SQLITE_ERROR"), errors.InternalError),
        (_postgresql("55P03"), errors.DatabaseLocked),
        (_postgresql("53100"), errors.StorageFull),
        (_postgresql(None), errors.Unavailable),
        (OSError(errno.ENOSPC, "full"), errors.StorageFull),
        (OSError(errno.EDQUOT, "full"), errors.StorageFull),
        (OSError(errno.EIO, "broken"), errors.InternalError),
        (ZeroDivisionError(), errors.InternalError),
    ],
)
def test_exceptions_are_translated_to_domain_errors(exc: Exception, error: type[errors.BlogError]) -> None:
    assert type(problems.translate(exc)) is error


def test_unknown_route_of_the_api_is_a_problem(api: Api) -> None:
    assert_problem(api.get("/nothing/here"), 404, "not_found")


def test_unknown_route_outside_the_api_is_an_html_page(client: Client) -> None:
    assert client.get("/nothing/here")["Content-Type"].startswith("text/html")


def test_disallowed_host_is_a_problem(api: Api) -> None:
    assert_problem(api.get("/posts", Host="evil.example"), 400, "malformed")


def test_internal_error_is_a_problem_without_details_and_is_logged_with_its_traceback(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.ERROR),
        patch("posts.api.posts.fetch_page", side_effect=ZeroDivisionError("a secret detail")),
    ):
        response = api.get("/posts", **{"X-Request-ID": "abc-123"})
    assert_problem(response, 500, "internal_error")
    assert response.json()["request_id"] == "abc-123"
    assert b"secret" not in response.content
    assert [record.name for record in caplog.records] == ["blogsite.http.problems"]
    assert "abc-123" in caplog.text
    assert "a secret detail" in caplog.text


def test_internal_error_in_a_middleware_is_a_problem(api: Api) -> None:
    with patch("django.middleware.common.CommonMiddleware.process_request", side_effect=ZeroDivisionError):
        assert_problem(api.get("/posts"), 500, "internal_error")


def test_pointer_is_escaped_as_in_rfc_6901() -> None:
    assert problems.pointer(["a/b", "c~d", 0]) == "#/a~1b/c~0d/0"
    assert problems.pointer([]) == "#"


@pytest.mark.django_db(transaction=True)
def test_foreign_key_to_a_row_deleted_meanwhile_is_a_conflict() -> None:
    author = make_author()
    User.objects.filter(pk=author.pk).delete()
    with pytest.raises(IntegrityError) as refused:
        create_post(actor=author, title="Late", content="")
    assert problems.translate(refused.value).status == 409
    assert not Post.objects.exists()
