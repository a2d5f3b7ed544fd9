"""Bodies have a length and a time."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from asgiref.sync import async_to_sync

from blogsite.serving.asgi import Message, Receive, Scope, Send
from blogsite.serving.request_limits import MAX_DRAINED, RequestLimits
from tests.blogsite.serving.asgi import ask, echo, scope_of
from tests.server import serving

LIMIT = 10


def body(*chunks: bytes) -> list[Message]:
    return [
        {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
        for number, chunk in enumerate(chunks, start=1)
    ]


def limited(timeout: float = 5) -> RequestLimits:
    return RequestLimits(echo, routes=[("/small/", LIMIT // 2), ("", LIMIT)], timeout=timeout)


def with_length(length: int, **headers: str) -> Scope:
    return scope_of("POST", headers=[("Content-Length", str(length)), *headers.items()])


def chunked() -> Scope:
    return scope_of("POST", headers=[("Transfer-Encoding", "chunked")])


def test_a_body_within_the_limit_arrives_whole() -> None:
    assert ask(limited(), with_length(10), body(b"01234", b"56789")).body == b"0123456789"
    assert ask(limited(), chunked(), body(b"01234", b"", b"56789")).body == b"0123456789"


def test_a_route_may_have_a_limit_of_its_own() -> None:
    scope = scope_of("POST", "/small/thing", headers=[("Content-Length", "6")])
    assert ask(limited(), scope, body(b"012345")).status == 413
    assert ask(limited(), with_length(6), body(b"012345")).status == 200


def test_an_upload_must_say_its_length() -> None:
    headers = [("Transfer-Encoding", "chunked"), ("Content-Type", "multipart/form-data; boundary=x")]
    answer = ask(limited(), scope_of("POST", headers=headers), body(b"x"))
    assert (answer.status, json.loads(answer.body)["code"]) == (411, "length_required")


def test_a_request_without_a_body_is_passed_on_unread() -> None:
    assert ask(limited(), scope_of()).status == 200


@pytest.mark.parametrize("scope", [with_length(11), chunked()])
def test_a_body_over_the_limit_is_refused_after_it_was_read(scope: Scope) -> None:
    rest = iter(body(b"0123456789", b"0", b"x" * 100))
    answer = ask(limited(), scope, rest)
    assert (answer.status, json.loads(answer.body)["code"]) == (413, "too_large")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"
    assert list(rest) == []


@pytest.mark.parametrize("scope", [with_length(MAX_DRAINED + 1), with_length(11, Expect="100-continue")])
def test_a_body_that_is_not_worth_reading_is_refused_at_once(scope: Scope) -> None:
    rest = iter(body(b"x"))
    assert ask(limited(), scope, rest).status == 413
    assert len(list(rest)) == 1


def test_an_endless_body_is_cut_off() -> None:
    def endless() -> object:
        while True:
            yield {"type": "http.request", "body": b"x" * (1024 * 1024), "more_body": True}

    assert ask(limited(), chunked(), endless()).status == 413  # type: ignore[arg-type]


def test_a_body_that_does_not_come_is_refused() -> None:
    sent: list[Message] = []

    async def never() -> Message:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def scenario() -> None:
        await limited(timeout=0.05)(with_length(5), never, send)

    async_to_sync(scenario)()
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["code"] == "body_too_slow"


def test_a_long_body_has_more_time_and_arrives_whole_from_its_file() -> None:
    content = bytes(range(256)) * 4 * 2048  # twice what stays in memory
    layer = RequestLimits(echo_whole, routes=[("", len(content))], timeout=0.01)

    async def scenario() -> bytes:
        messages = iter(body(content[:-1], content[-1:]))
        answered: list[bytes] = []

        async def slowly() -> Message:
            await asyncio.sleep(0.05)
            return next(messages)

        async def send(message: Message) -> None:
            answered.append(message.get("body", b""))

        await layer(with_length(len(content)), slowly, send)
        return b"".join(answered)

    assert async_to_sync(scenario)() == content


async def echo_whole(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the body, in the pieces in which it came."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    more = True
    while more:
        message = await receive()
        more = message["more_body"]
        await send({"type": "http.response.body", "body": message["body"], "more_body": more})


def test_a_client_that_goes_before_its_body_has_come_is_not_answered() -> None:
    assert ask(limited(), with_length(10), body(b"01234", b"")[:1]).status == 0


def test_a_real_server_answers_20_megabytes_with_a_problem(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        url = f"{server.url}/api/v1/auth/login"
        headers = {"Content-Type": "application/json", "X-Request-ID": "big-1"}
        answers = [
            httpx.post(url, content=b" " * 20_000_000, headers=headers),
            httpx.post(url, content=iter([b" " * 1_000_000] * 20), headers=headers),
        ]
        assert [answer.status_code for answer in answers] == [413, 413]
        assert all(answer.headers["X-Request-ID"] == "big-1" for answer in answers)
        assert all(answer.json()["request_id"] == "big-1" for answer in answers)
        assert httpx.post(url, json={"username": "a", "password": "b"}).status_code == 401
