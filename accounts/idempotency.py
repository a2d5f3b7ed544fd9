"""The `Idempotency-Key` header: a repeated request is executed once (draft-ietf-httpapi-idempotency-key-header).

The change and the response to it are stored in one transaction, so that a repetition gets the first response. If the
first request failed, nothing is stored. A repetition that arrives during the first request waits for the database.
"""

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.db import transaction
from django.utils import timezone

from accounts.authentication import UserRequest
from accounts.models import IdempotentRequest
from blogsite.errors import FieldError, IdempotencyKeyReused, Invalid
from blogsite.http.responses import render
from blogsite.http.schemas import Output

Out = TypeVar("Out", bound=Output)

MAX_AGE = timedelta(hours=24)
KEY = re.compile(r"[\x21-\x7e]{1,255}")


def do_once(request: UserRequest, act: Callable[[], Any], output: type[Out], *, body: bytes | None = None) -> Out:
    """Call `act` and return its result as `output`. With an `Idempotency-Key`, a repetition gets the first result.

    `body` replaces the body of the request in the comparison of two requests.
    Raises what `act` raises, in which case nothing is stored; `Invalid` for a malformed key; `IdempotencyKeyReused`
    for a key that the user sent with another request in the last 24 hours.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return output.model_validate(act())
    if not KEY.fullmatch(key):
        message = "Must be 1 to 255 visible ASCII characters"
        raise Invalid(errors=[FieldError("#/header/idempotency-key", "idempotency_key_invalid", message)])
    content = request.body if body is None else body
    fingerprint = hashlib.sha256(f"{request.method}\n{request.path}\n".encode() + content).hexdigest()
    user, requests = request.auth, IdempotentRequest.objects
    with transaction.atomic():
        requests.filter(user=user, key=key, created_at__lt=timezone.now() - MAX_AGE).delete()
        stored, is_new = requests.get_or_create(user=user, key=key, defaults={"fingerprint": fingerprint})
        if stored.fingerprint != fingerprint:
            raise IdempotencyKeyReused
        if not is_new:
            return output.model_validate_json(stored.answer)
        result = output.model_validate(act())
        requests.filter(pk=stored.pk).update(answer=render(result).decode())
        return result


done_once = sync_to_async(do_once)


def purge() -> int:
    """Delete the stored requests that are more than 24 hours old. Returns how many."""
    return IdempotentRequest.objects.filter(created_at__lt=timezone.now() - MAX_AGE).delete()[0]
