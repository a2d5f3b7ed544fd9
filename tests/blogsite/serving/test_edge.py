"""What holds for every request and every answer."""

import json
from typing import Any

import pytest

from blogsite.serving.edge import Edge
from tests.blogsite.serving.asgi import Answer, ask, echo, scope_of

HOST = ("Host", "blog.example.org")


def ask_edge(*headers: tuple[str, str], method: str = "GET", **options: Any) -> Answer:
    edge = Edge(echo, **{"allowed_hosts": ["blog.example.org", ".wild.example", "[::1]"], **options})
    return ask(edge, scope_of(method, "/api/v1/posts", headers=[HOST, *headers]))


def ask_host(host: str) -> Answer:
    edge = Edge(echo, allowed_hosts=["blog.example.org", ".wild.example", "[::1]"])
    return ask(edge, scope_of(headers=[("Host", host)] if host else []))


class TestRequestId:
    def test_the_answer_bears_the_id_that_the_application_saw(self) -> None:
        answers = [ask_edge() for _ in range(2)]
        assert all(answer.headers["x-request-id"] == answer.headers["seen"] for answer in answers)
        assert answers[0].headers["seen"] != answers[1].headers["seen"]

    def test_a_sane_id_of_the_client_is_kept(self) -> None:
        answer = ask_edge(("X-Request-ID", "trace.7-a_B"))
        assert answer.headers["seen"] == answer.headers["x-request-id"] == "trace.7-a_B"

    @pytest.mark.parametrize("given", ["", "a b", "x" * 65, "<script>", "a\nb", "é"])
    def test_any_other_id_is_replaced(self, given: str) -> None:
        answer = ask_edge(("X-Request-ID", given))
        assert answer.headers["x-request-id"] == answer.headers["seen"]
        assert answer.headers["seen"] not in ("", given)


class TestHost:
    @pytest.mark.parametrize("host", ["blog.example.org", "BLOG.example.org:8000", "a.wild.example", "[::1]:80"])
    def test_our_hosts_are_served(self, host: str) -> None:
        assert ask_host(host).status == 200

    @pytest.mark.parametrize("host", ["", "evil.example", "blog.example.org.evil.example", "a b", "blog.example.org/x"])
    def test_others_are_refused_with_a_problem(self, host: str) -> None:
        answer = ask_host(host)
        assert (answer.status, json.loads(answer.body)["code"]) == (400, "malformed")
        assert answer.headers["x-request-id"] == json.loads(answer.body)["request_id"]

    def test_two_are_one_too_many(self) -> None:
        assert ask_edge(("Host", "evil.example")).status == 400
        assert ask_edge(("Host", "blog.example.org")).status == 400


class TestHTTPS:
    def test_http_is_sent_on_with_path_and_query(self) -> None:
        edge = Edge(echo, allowed_hosts=["*"], hsts_seconds=60)
        scope = {**scope_of("POST", "/a%20b", headers=[HOST]), "query_string": b"c=d"}
        answer = ask(edge, scope)
        assert answer.status == 308
        assert answer.headers["location"] == "https://blog.example.org/a%20b?c=d"

    def test_https_answers_ask_for_https_ever_after(self) -> None:
        edge = Edge(echo, allowed_hosts=["*"], hsts_seconds=60)
        answer = ask(edge, {**scope_of(headers=[HOST]), "scheme": "https"})
        assert answer.status == 200
        assert answer.headers["strict-transport-security"] == "max-age=60"

    def test_a_blog_on_http_says_nothing_of_https(self) -> None:
        assert "strict-transport-security" not in ask_edge().headers


class TestCORS:
    ORIGIN = ("Origin", "https://app.example")

    def test_a_preflight_of_an_allowed_origin_names_what_may_be_sent(self) -> None:
        asked = [self.ORIGIN, ("Access-Control-Request-Method", "PATCH")]
        answer = ask_edge(*asked, method="OPTIONS", cors_origins=["https://app.example"])
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert "PATCH" in answer.headers["access-control-allow-methods"]
        assert {"Authorization", "If-Match", "Idempotency-Key"} <= set(
            answer.headers["access-control-allow-headers"].split(", ")
        )

    @pytest.mark.parametrize("origins", [["https://app.example"], ["*"]])
    def test_an_answer_to_an_allowed_origin_may_be_read(self, origins: list[str]) -> None:
        answer = ask_edge(self.ORIGIN, cors_origins=origins)
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert "ETag" in answer.headers["access-control-expose-headers"]
        assert answer.headers["vary"] == "Origin"

    @pytest.mark.parametrize("method", ["GET", "OPTIONS"])
    def test_another_origin_is_told_nothing(self, method: str) -> None:
        asked = [("Origin", "https://evil.example"), ("Access-Control-Request-Method", "GET")]
        answer = ask_edge(*asked, method=method, cors_origins=["https://app.example"])
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["vary"] == "Origin"

    def test_without_the_setting_there_is_no_cors(self) -> None:
        assert "vary" not in ask_edge(self.ORIGIN).headers


def test_answers_carry_security_headers() -> None:
    answer = ask_edge()
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
