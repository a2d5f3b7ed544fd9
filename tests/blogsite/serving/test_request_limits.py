"""The layer that bounds the length of request bodies and the time to receive them."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from asgiref.sync import async_to_sync

from blogsite.http.routes import Handler, Route
from blogsite.serving.asgi import ROUTE_KEY, Message, Receive, Scope, Send
from blogsite.serving.request_limits import MAX_DISCARDED_BYTES, RequestLimits
from tests.blogsite.serving.asgi import call, echo, make_scope
from tests.server import serving

LIMIT = 10


def body(*chunks: bytes) -> list[Message]:
    return [
        {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
        for number, chunk in enumerate(chunks, start=1)
    ]


def make_layer(timeout: float = 5) -> RequestLimits:
    return RequestLimits(echo, timeout=timeout)


def limited_to(max_bytes: int, *headers: tuple[str, str]) -> Scope:
    """Return the scope of a POST whose route accepts bodies of `max_bytes`."""
    return {**make_scope("POST", headers=headers), ROUTE_KEY: Route("", Handler.API, max_body_bytes=max_bytes)}


def with_length(length: int, **headers: str) -> Scope:
    return limited_to(LIMIT, ("Content-Length", str(length)), *headers.items())


def chunked() -> Scope:
    return limited_to(LIMIT, ("Transfer-Encoding", "chunked"))


def test_a_body_within_the_limit_arrives_whole() -> None:
    assert call(make_layer(), with_length(10), body(b"01234", b"56789")).body == b"0123456789"
    assert call(make_layer(), chunked(), body(b"01234", b"", b"56789")).body == b"0123456789"


def test_each_route_has_its_own_limit() -> None:
    scope = limited_to(5, ("Content-Length", "6"))
    assert call(make_layer(), scope, body(b"012345")).status == 413
    assert call(make_layer(), with_length(6), body(b"012345")).status == 200


def test_an_upload_without_a_length_gets_411() -> None:
    headers = [("Transfer-Encoding", "chunked"), ("Content-Type", "multipart/form-data; boundary=x")]
    response = call(make_layer(), make_scope("POST", headers=headers), body(b"x"))
    assert (response.status, json.loads(response.body)["code"]) == (411, "length_required")


def test_a_request_without_a_body_is_passed_on() -> None:
    assert call(make_layer(), make_scope()).status == 200


@pytest.mark.parametrize("scope", [with_length(11), chunked()])
def test_a_body_over_the_limit_gets_413_after_it_was_read(scope: Scope) -> None:
    rest = iter(body(b"0123456789", b"0", b"x" * 100))
    response = call(make_layer(), scope, rest)
    assert (response.status, json.loads(response.body)["code"]) == (413, "too_large")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["connection"] == "close"
    assert list(rest) == []


@pytest.mark.parametrize("scope", [with_length(MAX_DISCARDED_BYTES + 1), with_length(11, Expect="100-continue")])
def test_a_body_far_over_the_limit_or_not_yet_sent_gets_413_at_once(scope: Scope) -> None:
    rest = iter(body(b"x"))
    assert call(make_layer(), scope, rest).status == 413
    assert len(list(rest)) == 1


def test_an_endless_body_gets_413() -> None:
    def endless() -> object:
        while True:
            yield {"type": "http.request", "body": b"x" * (1024 * 1024), "more_body": True}

    assert call(make_layer(), chunked(), endless()).status == 413  # type: ignore[arg-type]


def test_a_body_that_does_not_arrive_gets_408() -> None:
    sent: list[Message] = []

    async def never() -> Message:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def scenario() -> None:
        await make_layer(timeout=0.05)(with_length(5), never, send)

    async_to_sync(scenario)()
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["code"] == "body_too_slow"


def test_a_long_body_has_more_time_and_arrives_complete() -> None:
    content = bytes(range(256)) * 4 * 2048  # twice the size that is kept in memory
    layer = RequestLimits(echo_parts, timeout=0.01)

    async def scenario() -> bytes:
        messages = iter(body(content[:-1], content[-1:]))
        received: list[bytes] = []

        async def slowly() -> Message:
            await asyncio.sleep(0.05)
            return next(messages)

        async def send(message: Message) -> None:
            received.append(message.get("body", b""))

        await layer(limited_to(len(content), ("Content-Length", str(len(content)))), slowly, send)
        return b"".join(received)

    assert async_to_sync(scenario)() == content


async def echo_parts(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the body, in the parts in which it arrived."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    more = True
    while more:
        message = await receive()
        more = message["more_body"]
        await send({"type": "http.response.body", "body": message["body"], "more_body": more})


def test_a_client_that_disconnects_before_the_end_of_its_body_gets_no_response() -> None:
    assert call(make_layer(), with_length(10), body(b"01234", b"")[:1]).status == 0


def test_a_real_server_answers_20_megabytes_with_a_problem(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        url = f"{server.url}/api/v1/auth/login"
        headers = {"Content-Type": "application/json", "X-Request-ID": "big-1"}
        responses = [
            httpx.post(url, content=b" " * 20_000_000, headers=headers),
            httpx.post(url, content=iter([b" " * 1_000_000] * 20), headers=headers),
        ]
        assert [response.status_code for response in responses] == [413, 413]
        assert all(response.headers["X-Request-ID"] == "big-1" for response in responses)
        assert all(response.json()["request_id"] == "big-1" for response in responses)
        assert httpx.post(url, json={"username": "a", "password": "b"}).status_code == 401
