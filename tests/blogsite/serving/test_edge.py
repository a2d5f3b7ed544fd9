"""The edge layer: request ids, the Host check, HTTPS, CORS and security headers."""

import json
from typing import Any

import pytest

from blogsite.serving.edge import Edge
from tests.blogsite.serving.asgi import Response, call, echo, make_scope

HOST = ("Host", "blog.example.org")


def call_edge(*headers: tuple[str, str], method: str = "GET", **options: Any) -> Response:
    edge = Edge(echo, **{"allowed_hosts": ["blog.example.org", ".wild.example", "[::1]"], **options})
    return call(edge, make_scope(method, "/api/v1/posts", headers=[HOST, *headers]))


def call_with_host(host: str) -> Response:
    edge = Edge(echo, allowed_hosts=["blog.example.org", ".wild.example", "[::1]"])
    return call(edge, make_scope(headers=[("Host", host)] if host else []))


class TestRequestId:
    def test_the_response_carries_the_id_that_the_application_saw(self) -> None:
        responses = [call_edge() for _ in range(2)]
        assert all(response.headers["x-request-id"] == response.headers["seen"] for response in responses)
        assert responses[0].headers["seen"] != responses[1].headers["seen"]

    def test_a_valid_id_of_the_client_is_kept(self) -> None:
        response = call_edge(("X-Request-ID", "trace.7-a_B"))
        assert response.headers["seen"] == response.headers["x-request-id"] == "trace.7-a_B"

    @pytest.mark.parametrize("given", ["", "a b", "x" * 65, "<script>", "a\nb", "é"])
    def test_any_other_id_is_replaced(self, given: str) -> None:
        response = call_edge(("X-Request-ID", given))
        assert response.headers["x-request-id"] == response.headers["seen"]
        assert response.headers["seen"] not in ("", given)


class TestHost:
    @pytest.mark.parametrize("host", ["blog.example.org", "BLOG.example.org:8000", "a.wild.example", "[::1]:80"])
    def test_allowed_hosts_are_served(self, host: str) -> None:
        assert call_with_host(host).status == 200

    @pytest.mark.parametrize("host", ["", "evil.example", "blog.example.org.evil.example", "a b", "blog.example.org/x"])
    def test_other_hosts_get_400(self, host: str) -> None:
        response = call_with_host(host)
        assert (response.status, json.loads(response.body)["code"]) == (400, "malformed")
        assert response.headers["x-request-id"] == json.loads(response.body)["request_id"]

    def test_two_host_headers_get_400(self) -> None:
        assert call_edge(("Host", "evil.example")).status == 400
        assert call_edge(("Host", "blog.example.org")).status == 400


class TestHTTPS:
    def test_http_is_redirected_with_path_and_query(self) -> None:
        edge = Edge(echo, allowed_hosts=["*"], hsts_seconds=60)
        scope = {**make_scope("POST", "/a%20b", headers=[HOST]), "query_string": b"c=d"}
        response = call(edge, scope)
        assert response.status == 308
        assert response.headers["location"] == "https://blog.example.org/a%20b?c=d"

    def test_https_responses_carry_hsts(self) -> None:
        edge = Edge(echo, allowed_hosts=["*"], hsts_seconds=60)
        response = call(edge, {**make_scope("GET", "/api/v1/posts", headers=[HOST]), "scheme": "https"})
        assert response.status == 200
        assert response.headers["strict-transport-security"] == "max-age=60"

    def test_a_site_on_http_sends_no_hsts(self) -> None:
        assert "strict-transport-security" not in call_edge().headers


class TestCORS:
    ORIGIN = ("Origin", "https://app.example")

    def test_a_preflight_of_an_allowed_origin_lists_methods_and_headers(self) -> None:
        headers = [self.ORIGIN, ("Access-Control-Request-Method", "PATCH")]
        response = call_edge(*headers, method="OPTIONS", cors_origins=["https://app.example"])
        assert (response.status, response.body) == (204, b"")
        assert response.headers["access-control-allow-origin"] == "https://app.example"
        assert "PATCH" in response.headers["access-control-allow-methods"]
        assert {"Authorization", "If-Match", "Idempotency-Key"} <= set(
            response.headers["access-control-allow-headers"].split(", ")
        )

    @pytest.mark.parametrize("origins", [["https://app.example"], ["*"]])
    def test_an_allowed_origin_may_read_the_response(self, origins: list[str]) -> None:
        response = call_edge(self.ORIGIN, cors_origins=origins)
        assert response.headers["access-control-allow-origin"] == "https://app.example"
        assert "ETag" in response.headers["access-control-expose-headers"]
        assert response.headers["vary"] == "Origin"

    @pytest.mark.parametrize("method", ["GET", "OPTIONS"])
    def test_another_origin_gets_no_cors_headers(self, method: str) -> None:
        headers = [("Origin", "https://evil.example"), ("Access-Control-Request-Method", "GET")]
        response = call_edge(*headers, method=method, cors_origins=["https://app.example"])
        assert not [name for name in response.headers if name.startswith("access-control")]
        assert response.headers["vary"] == "Origin"

    def test_without_the_setting_there_is_no_cors(self) -> None:
        assert "vary" not in call_edge(self.ORIGIN).headers


def test_responses_of_the_api_carry_security_headers() -> None:
    response = call_edge()
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_pages_get_their_security_headers_from_django_instead() -> None:
    edge = Edge(echo, allowed_hosts=["*"], hsts_seconds=60)
    for path in ("/", "/admin/", "/api/v1/docs"):
        response = call(edge, {**make_scope("GET", path, headers=[HOST]), "scheme": "https"})
        assert response.headers.keys() == {"seen", "x-request-id"}
