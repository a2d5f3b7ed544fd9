"""The promises that every operation of the API keeps, and how the API reads and writes HTTP."""

from typing import Any

import pytest
from pytest_django import Settings

from tests.client import Api, assert_problem
from tests.factories import make_author, make_post
from tests.operations import AUTHORIZATION_IGNORED, IDS, OPERATIONS, fill


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=IDS)
class TestEveryOperation:
    def test_refuses_an_unknown_query_parameter(
        self, api: Api, method: str, path: str, operation: dict[str, Any]
    ) -> None:
        response = api.send(method, f"{fill(path)}?colour=red")
        assert_problem(response, 422, "validation_error", "#/query/colour")

    @pytest.mark.parametrize("header", ["Bearer nonsense", "Basic dXNlcjpwYXNz", "Bearer", "nonsense"])
    def test_refuses_a_bad_token_or_ignores_authorization(
        self, api: Api, method: str, path: str, operation: dict[str, Any], header: str
    ) -> None:
        response = api.send(method, fill(path), Authorization=header)
        if operation["operationId"] not in AUTHORIZATION_IGNORED:
            return assert_problem(response, 401, "unauthenticated")
        without_header = api.send(method, fill(path))
        assert_problem(without_header, 422, "validation_error", "#")
        assert (response.status_code, response.content) == (422, without_header.content)

    def test_requires_a_token_unless_its_security_is_optional(
        self, api: Api, method: str, path: str, operation: dict[str, Any]
    ) -> None:
        response = api.send(method, fill(path))
        required = "security" in operation and {} not in operation["security"]
        assert (response.status_code == 401) == required

    def test_answers_a_wrong_method_with_the_allowed_ones(
        self, api: Api, method: str, path: str, operation: dict[str, Any]
    ) -> None:
        response = api.send("TRACE", fill(path))
        assert_problem(response, 405, "method_not_allowed")
        assert {method, "OPTIONS"} <= set(response["Allow"].split(", "))

    def test_answers_options_with_the_allowed_methods(
        self, api: Api, method: str, path: str, operation: dict[str, Any]
    ) -> None:
        response = api.send("OPTIONS", fill(path))
        assert (response.status_code, response.content) == (204, b"")
        assert {method, "OPTIONS"} <= set(response["Allow"].split(", "))

    def test_returns_a_documented_status(self, api: Api, method: str, path: str, operation: dict[str, Any]) -> None:
        response = api.acting_as(make_author()).send(method, fill(path), {})
        assert str(response.status_code) in operation["responses"]


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b'{"username": NaN}', b"[" * 100_000, b'{"a": 1' + b"0" * 5000])
def test_unreadable_json_is_malformed(api: Api, body: bytes) -> None:
    assert_problem(api.send("POST", "/auth/login", body), 400, "malformed")


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"text"', b"7"])
def test_error_for_a_body_that_is_not_an_object_points_at_the_whole_body(api: Api, body: bytes) -> None:
    assert_problem(api.send("POST", "/auth/login", body), 422, "validation_error", "#")


def test_error_for_json_nested_900_levels_deep_points_at_its_field(api: Api) -> None:
    body = b'{"username": "a", "password": "b", "deep": ' + b"[" * 900 + b"]" * 900 + b"}"
    assert_problem(api.send("POST", "/auth/login", body), 422, "validation_error", "#/deep")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_body_of_another_content_type_is_unsupported(api: Api, content_type: str) -> None:
    response = api.send("POST", "/auth/login", {"username": "a"}, **{"Content-Type": content_type})
    assert_problem(response, 415, "unsupported_media_type")


def test_head_returns_the_headers_of_get_without_a_body(api: Api) -> None:
    make_post()
    head, get = api.send("HEAD", "/posts"), api.get("/posts")
    assert (head.status_code, head.content) == (200, b"")
    assert head["ETag"] == get["ETag"]


def test_if_none_match_with_the_current_etag_returns_304(api: Api) -> None:
    post = make_post()
    etag = api.get(f"/posts/{post.pk}")["ETag"]
    assert etag.startswith('"1-')
    second = api.get(f"/posts/{post.pk}", **{"If-None-Match": etag})
    assert (second.status_code, second.content, second["ETag"]) == (304, b"", etag)
    assert api.get(f"/posts/{post.pk}", **{"If-None-Match": '"1-other"'}).status_code == 200


def test_only_anonymous_responses_are_cacheable_by_others(api: Api) -> None:
    make_post()
    assert api.get("/posts")["Cache-Control"] == "public, max-age=0, must-revalidate"
    assert api.acting_as(make_author()).get("/posts")["Cache-Control"] == "private, no-store"
    assert "Authorization" in api.get("/posts")["Vary"]


def test_public_max_age_setting_applies_to_public_responses(api: Api, settings: Settings) -> None:
    settings.PUBLIC_MAX_AGE = 60
    assert api.get("/posts")["Cache-Control"] == "public, max-age=60, must-revalidate"
    assert api.acting_as(make_author()).get("/posts")["Cache-Control"] == "private, no-store"


def test_times_are_in_utc_and_end_in_z(api: Api) -> None:
    item = api.get(f"/posts/{make_post().pk}").json()
    assert all(item[name].endswith("Z") for name in ("created_at", "updated_at", "published_at"))
