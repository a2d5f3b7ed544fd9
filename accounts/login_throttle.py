"""Throttles logins and other actions by their failures. The counters are in `blogsite.http.throttling`."""

import asyncio
import hashlib
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from math import ceil
from typing import ParamSpec, Self, TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from accounts import security_log
from blogsite.errors import TooManyRequests, Unauthenticated
from blogsite.http.problems import ErrorWithHeaders
from blogsite.http.throttling import MEMORY, ProcessThrottle, throttle

P = ParamSpec("P")
R = TypeVar("R")

FREE_PER_ACCOUNT = 100
"""Free failures with one account, from all addresses. A single address is stopped earlier, so it locks no user out."""


class FailureThrottle:
    """A context manager that counts the failures of its body, by client address and by account if one is given.

    A failure is an error of the class `exceptions`, or a client that disconnects. With `count_success`, a success
    counts as well. Entering raises `TooManyRequests` while the address or the account has to wait.

    `async with` also sends the `RateLimit` headers: after a success with `response`, otherwise with the error, which is
    raised as an `ErrorWithHeaders`.
    """

    def __init__(
        self,
        action: str,
        request: HttpRequest,
        account: str | int | None = None,
        *,
        response: HttpResponse | None = None,
        exceptions: type[Exception] = Unauthenticated,
        count_success: bool = False,
    ) -> None:
        self.action = action
        self.address = address_of(request)
        self.response = response
        self.exceptions = exceptions
        self.count_success = count_success
        self.remaining = 0
        self.seconds = MEMORY
        free = settings.FREE_FAILURES
        self.keys = [(f"{action}:address:{_network(self.address)}", free)]
        if account is not None:
            # Hashed, because people sometimes type their password into the field of the username.
            name = hashlib.sha256(str(account).strip().lower().encode()).hexdigest()
            self.keys.append((f"{action}:account:{name}", max(FREE_PER_ACCOUNT, free)))

    @property
    def rate_limit(self) -> dict[str, str]:
        """The `RateLimit` headers of the response (draft-ietf-httpapi-ratelimit-headers)."""
        return {
            "RateLimit-Policy": f'"{self.action}";q={settings.FREE_FAILURES};w={MEMORY}',
            "RateLimit": f'"{self.action}";r={self.remaining};t={self.seconds}',
        }

    def __enter__(self) -> Self:
        remaining: list[int] = []
        for key, free in self.keys:
            verdict = throttle.count(key, free)
            if verdict.wait:
                self._undo(self.keys[: len(remaining)])
                wait = ceil(verdict.wait)
                self.seconds = min(wait, MEMORY)
                raise TooManyRequests(wait)
            remaining.append(verdict.remaining)
        self.remaining = min(remaining)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        has_failed = kind is not None and issubclass(kind, (self.exceptions, asyncio.CancelledError))
        if not has_failed and not self.count_success:
            self._undo(self.keys)
            self.remaining += 1
        elif not self.remaining:
            security_log.record("locked_out", action=self.action, address=self.address)

    async def __aenter__(self) -> Self:
        try:
            return await _off_the_loop(self.__enter__)
        except TooManyRequests as error:
            raise ErrorWithHeaders(error, self.rate_limit) from error

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        await _off_the_loop(self.__exit__, kind)
        if isinstance(error, Exception):
            raise ErrorWithHeaders(error, self.rate_limit) from error
        if self.response is not None:
            for name, value in self.rate_limit.items():
                self.response[name] = value

    def _undo(self, keys: list[tuple[str, int]]) -> None:
        for key, free in keys:
            throttle.undo(key, free)


def address_of(request: HttpRequest) -> str | None:
    """The client's IP address, None behind a Unix socket. uvicorn has read it from the headers of trusted proxies."""
    try:
        address = ip_address(str(request.META.get("REMOTE_ADDR")).partition("%")[0])
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


def _network(address: str | None) -> str:
    """The addresses of one client: a single IPv4 address, or the 64-bit prefix of an IPv6 address (RFC 6177)."""
    return str(ip_network(f"{address}/64", strict=False)) if address and ":" in address else str(address)


async def _off_the_loop(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call `function` in a thread if the counters are in Redis, and directly if they are in this process."""
    if isinstance(throttle, ProcessThrottle):
        return function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)
