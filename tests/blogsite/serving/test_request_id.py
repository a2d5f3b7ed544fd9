"""Every request has an id."""

import pytest

from blogsite.serving.request_id import RequestId
from tests.blogsite.serving.asgi import ask, echo, scope_of


def test_the_id_of_the_answer_is_the_one_that_the_application_saw() -> None:
    answers = [ask(RequestId(echo), scope_of()) for _ in range(2)]
    assert all(answer.headers["x-request-id"] == answer.headers["seen"] for answer in answers)
    assert answers[0].headers["seen"] != answers[1].headers["seen"]


def test_a_sane_id_of_the_client_is_kept() -> None:
    answer = ask(RequestId(echo), scope_of(headers=[("X-Request-ID", "trace.7-a_B")]))
    assert answer.headers == {"seen": "trace.7-a_B", "x-request-id": "trace.7-a_B"}


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "<script>", "a\nb", "é"])
def test_any_other_id_is_replaced(given: str) -> None:
    answer = ask(RequestId(echo), scope_of(headers=[("X-Request-ID", given)]))
    assert answer.headers["x-request-id"] == answer.headers["seen"]
    assert answer.headers["seen"] not in ("", given)
