"""Requests that may be sent again and are done once (draft-ietf-httpapi-idempotency-key-header).

What is done and what is answered are stored in one transaction: whoever repeats a request gets the first answer, or
the request never happened. A repetition that comes while the first still runs waits for it in the database.
"""

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.authentication import UserRequest
from accounts.models import IdempotentRequest, User
from blogsite.errors import FieldError, IdempotencyKeyReused, Invalid
from blogsite.http.responses import render
from blogsite.http.schemas import Output

Out = TypeVar("Out", bound=Output)

KEPT = timedelta(hours=24)
KEY = re.compile(r"[\x21-\x7e]{1,255}")


def do_once(request: UserRequest, act: Callable[[], Any], output: type[Out], *, body: bytes | None = None) -> Out:
    """Do `act`, and return what it gave as `output`. With an `Idempotency-Key`, a repetition gets the first answer.

    `body` is what tells one request from another, where it is not the request's own.
    Raises what `act` raises, of which nothing is kept; `Invalid` for a key that is none; and `IdempotencyKeyReused`
    for one that came with another request of the user in the last 24 hours.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return output.model_validate(act())
    if not KEY.fullmatch(key):
        message = "Must be 1 to 255 visible characters of ASCII"
        raise Invalid(errors=[FieldError("#/header/idempotency-key", "idempotency_key_invalid", message)])
    parts = (request.method or "", request.path, request.body if body is None else body)
    fingerprint = hashlib.sha256(b"\n".join(part if isinstance(part, bytes) else part.encode() for part in parts))

    def answer() -> str:
        return render(output.model_validate(act())).decode()

    return output.model_validate_json(_once(request.auth, key, fingerprint.hexdigest(), answer))


done_once = sync_to_async(do_once)


def purge() -> int:
    """Forget the requests of more than 24 hours ago. Returns how many."""
    return IdempotentRequest.objects.filter(created_at__lt=timezone.now() - KEPT).delete()[0]


@transaction.atomic
def _once(user: User, key: str, fingerprint: str, answer: Callable[[], str]) -> str:
    requests = IdempotentRequest.objects.filter(user=user, key=key)
    requests.filter(created_at__lt=timezone.now() - KEPT).delete()
    try:
        with transaction.atomic():
            IdempotentRequest.objects.create(user=user, key=key, fingerprint=fingerprint)
    except IntegrityError:
        stored = requests.get()
        if stored.fingerprint != fingerprint:
            raise IdempotencyKeyReused from None
        return stored.answer
    answered = answer()
    requests.update(answer=answered)
    return answered
