"""`Idempotency-Key`: a repeated request is executed once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.utils import timezone

from accounts.models import IdempotentRequest, User
from posts.models import Post
from tests.client import Api, assert_problem
from tests.factories import make_admin, make_author

POST = {"title": "Once", "content": "Text."}
KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}


@pytest.fixture
def authors_api(api: Api) -> Api:
    return api.acting_as(make_author())


def test_a_repeated_request_gets_the_first_response(authors_api: Api) -> None:
    first, second = (authors_api.post("/posts", POST, **KEY) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert (first["Location"], first["ETag"]) == (second["Location"], second["ETag"])
    assert Post.objects.count() == 1
    plain = authors_api.post("/posts", POST).json()
    assert list(first.json()) == list(plain)


def test_the_first_response_is_repeated_after_the_post_has_changed(authors_api: Api) -> None:
    first = authors_api.post("/posts", POST, **KEY)
    authors_api.patch(f"/posts/{first.json()['id']}", {"title": "After"})
    assert authors_api.post("/posts", POST, **KEY).content == first.content


def test_another_body_with_the_same_key_is_422(authors_api: Api) -> None:
    authors_api.post("/posts", POST, **KEY)
    assert_problem(authors_api.post("/posts", POST | {"title": "Twice"}, **KEY), 422, "idempotency_key_reused")
    assert Post.objects.count() == 1


def test_two_users_may_send_the_same_key(api: Api, authors_api: Api) -> None:
    authors_api.post("/posts", POST, **KEY)
    assert api.acting_as(make_author()).post("/posts", POST, **KEY).status_code == 201
    assert Post.objects.count() == 2


def test_a_failed_request_can_be_repeated(authors_api: Api) -> None:
    taken = POST | {"slug": "taken"}
    other = authors_api.post("/posts", taken).json()
    assert_problem(authors_api.post("/posts", taken, **KEY), 409, "slug_taken")
    assert not IdempotentRequest.objects.exists()
    authors_api.patch(f"/posts/{other['id']}", {"slug": "another"})
    assert authors_api.post("/posts", taken, **KEY).status_code == 201


def test_a_key_is_deleted_after_a_day(authors_api: Api) -> None:
    authors_api.post("/posts", POST, **KEY)
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
    assert authors_api.post("/posts", POST | {"title": "Twice"}, **KEY).status_code == 201
    assert Post.objects.count() == 2
    with time_machine.travel(timezone.now() + timedelta(hours=25), tick=False):
        call_command("purge_trash", stdout=StringIO())
    assert not IdempotentRequest.objects.exists()


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 256, "tab\t"])
def test_a_key_must_be_visible_ascii(authors_api: Api, key: str) -> None:
    response = authors_api.post("/posts", POST, **{"Idempotency-Key": key})
    assert_problem(response, 422, "validation_error", "#/header/idempotency-key")


def test_a_user_is_created_once(api: Api) -> None:
    admins_api = api.acting_as(make_admin())
    body = {"username": "ines", "email": "ines@example.com", "password": "quiet-river-lantern"}
    first, second = (admins_api.post("/users", body, **KEY) for _ in range(2))
    assert (first.status_code, first.content) == (201, second.content)
    assert User.objects.filter(username="ines").count() == 1
    assert "quiet-river-lantern" not in str(IdempotentRequest.objects.values())


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


@pytest.mark.django_db(transaction=True)
def test_eight_concurrent_requests_create_one_post(threads: ThreadPoolExecutor) -> None:
    author = make_author()
    api = Api(Client(), author)

    def send(_: int) -> Any:
        try:
            return api.post("/posts", POST, **KEY)
        finally:
            connections.close_all()

    answers = list(threads.map(send, range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert Post.objects.count() == 1
