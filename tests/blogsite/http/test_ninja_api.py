"""What holds for all operations alike."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from openapi_spec_validator import validate
from pytest_django import Settings

from blogsite.api import api as blog_api
from tests.client import Api, assert_problem
from tests.factories import make_author, make_post

SNAPSHOT = Path(__file__).parent / "openapi.json"


def document() -> dict[str, Any]:
    result: dict[str, Any] = json.loads(json.dumps(blog_api.get_openapi_schema()))
    return result


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """(method, path, operation) of every operation."""
    return [
        (method.upper(), path, operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    ]


OPERATIONS = operations()
IDS = [operation["operationId"] for _, _, operation in OPERATIONS]


def fill(path: str) -> str:
    """The path below the root of the API, with good values in it."""
    ids = dict.fromkeys(("post_id", "user_id", "session_id", "token_id", "media_id", "version"), 1)
    return path.removeprefix("/api/v1").format(**ids, slug="a", tag="a", token="a", username="somebody")


def test_the_openapi_document_is_the_one_that_was_agreed() -> None:
    """A change of the contract is a diff that somebody reads: delete the file to write it anew."""
    if not SNAPSHOT.exists():
        SNAPSHOT.write_text(json.dumps(document(), indent=1, ensure_ascii=False) + "\n")
        pytest.fail("The snapshot was written anew: read its diff, and run the tests again.")
    assert document() == json.loads(SNAPSHOT.read_text())


def test_the_openapi_document_is_valid() -> None:
    validate(document())


def test_the_openapi_document_is_served(client: Client) -> None:
    response = client.get("/api/v1/openapi.json")
    assert response.json() == document()


def test_the_documentation_needs_nothing_from_elsewhere(client: Client) -> None:
    page = client.get("/api/v1/docs").content.decode()
    assert "/static/ninja/swagger-ui-bundle.js" in page
    assert "http://" not in page
    assert "https://" not in page


def test_every_operation_has_an_id_and_a_summary() -> None:
    assert len(set(IDS)) == len(IDS)
    assert all(operation["summary"] and " " in operation["summary"] for _, _, operation in OPERATIONS)


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=IDS)
class TestEveryOperation:
    def test_documents_its_problems_as_problems(self, method: str, path: str, operation: dict[str, Any]) -> None:
        failures = {status: answer for status, answer in operation["responses"].items() if int(status) >= 400}
        assert {"422", "500", "503"} <= failures.keys()
        assert "security" not in operation or {"401", "429"} <= failures.keys()
        assert all(list(answer["content"]) == ["application/problem+json"] for answer in failures.values())

    def test_refuses_an_unknown_query_parameter(
        self, api: Api, method: str, path: str, operation: dict[str, Any]
    ) -> None:
        response = api.send(method, f"{fill(path)}?colour=red")
        assert_problem(response, 422, "validation_error", "#/query/colour")

    def test_refuses_a_bad_token_even_where_none_is_needed(
        self, api: Api, method: str, path: str, operation: dict[str, Any]
    ) -> None:
        for value in ("Bearer nonsense", "Basic dXNlcjpwYXNz", "Bearer", "nonsense"):
            response = api.send(method, fill(path), Authorization=value)
            if "security" in operation:
                assert_problem(response, 401, "unauthenticated")

    def test_asks_for_a_token_unless_it_is_open_to_anybody(
        self, api: Api, method: str, path: str, operation: dict[str, Any]
    ) -> None:
        response = api.send(method, fill(path))
        asks = "security" in operation and {} not in operation["security"]
        assert (response.status_code == 401) == asks

    def test_answers_a_wrong_method_with_the_right_ones(
        self, api: Api, method: str, path: str, operation: dict[str, Any]
    ) -> None:
        response = api.send("TRACE", fill(path))
        assert_problem(response, 405, "method_not_allowed")
        assert {method, "OPTIONS"} <= set(response["Allow"].split(", "))

    def test_answers_options_with_its_methods(
        self, api: Api, method: str, path: str, operation: dict[str, Any]
    ) -> None:
        response = api.send("OPTIONS", fill(path))
        assert (response.status_code, response.content) == (204, b"")
        assert method in response["Allow"]

    def test_answers_what_it_documents(self, api: Api, method: str, path: str, operation: dict[str, Any]) -> None:
        response = api.acting_as(make_author()).send(method, fill(path), {})
        assert str(response.status_code) in operation["responses"]


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b'{"username": NaN}', b"[" * 100_000, b'{"a": 1' + b"0" * 5000])
def test_a_body_that_cannot_be_read_is_malformed(api: Api, body: bytes) -> None:
    assert_problem(api.send("POST", "/auth/login", body), 400, "malformed")


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"text"', b"7"])
def test_a_body_that_is_no_object_points_at_the_whole(api: Api, body: bytes) -> None:
    assert_problem(api.send("POST", "/auth/login", body), 422, "validation_error", "#")


def test_json_nested_900_deep_is_refused_at_its_field(api: Api) -> None:
    body = b'{"username": "a", "password": "b", "deep": ' + b"[" * 900 + b"]" * 900 + b"}"
    assert_problem(api.send("POST", "/auth/login", body), 422, "validation_error", "#/deep")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_that_is_not_json_is_unsupported(api: Api, content_type: str) -> None:
    response = api.send("POST", "/auth/login", {"username": "a"}, **{"Content-Type": content_type})
    assert_problem(response, 415, "unsupported_media_type")


def test_head_is_get_without_the_body(api: Api) -> None:
    make_post()
    asked, got = api.send("HEAD", "/posts"), api.get("/posts")
    assert (asked.status_code, asked.content) == (200, b"")
    assert asked["ETag"] == got["ETag"]


def test_an_answer_that_the_client_has_is_not_sent_again(api: Api) -> None:
    post = make_post()
    etag = api.get(f"/posts/{post.pk}")["ETag"]
    assert etag.startswith('"1-')
    again = api.get(f"/posts/{post.pk}", **{"If-None-Match": etag})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
    assert api.get(f"/posts/{post.pk}", **{"If-None-Match": '"1-other"'}).status_code == 200


def test_only_what_anybody_sees_may_be_kept_by_others(api: Api) -> None:
    make_post()
    assert api.get("/posts")["Cache-Control"] == "public, max-age=0, must-revalidate"
    assert api.acting_as(make_author()).get("/posts")["Cache-Control"] == "private, no-store"
    assert "Authorization" in api.get("/posts")["Vary"]


def test_a_setting_lets_public_answers_be_kept_longer(api: Api, settings: Settings) -> None:
    settings.PUBLIC_MAX_AGE = 60
    assert api.get("/posts")["Cache-Control"] == "public, max-age=60, must-revalidate"
    assert api.acting_as(make_author()).get("/posts")["Cache-Control"] == "private, no-store"


def test_times_are_in_utc_and_end_in_z(api: Api) -> None:
    item = api.get(f"/posts/{make_post().pk}").json()
    assert all(item[name].endswith("Z") for name in ("created_at", "updated_at", "published_at"))
