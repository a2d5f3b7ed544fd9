"""What is counted, by whom, and how many failures are free (`blogsite.http.throttling`)."""

import asyncio
import hashlib
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from math import ceil
from typing import ParamSpec, Self, TypeVar

from django.conf import settings
from django.http import HttpRequest

from accounts import security_log
from blogsite.errors import BlogError, TooManyRequests, Unauthenticated
from blogsite.http.throttling import MEMORY, ProcessLimiter, limiter

P = ParamSpec("P")
R = TypeVar("R")

FREE_OF_AN_ACCOUNT = 100
"""Failures with one account, from any address. One address alone never comes so far, and so locks no user out."""


class FailureThrottle:
    """Counts what happens in a `with` or an `async with` if it fails: by the address, and by the account if any.

    A failure is an error of the type `of`, or a client that hangs up; with `always` a success counts, too.
    Raises `TooManyRequests` while the address or the account has to wait, and leaves with the request what its answer
    says of that (`RateLimit`, draft-ietf-httpapi-ratelimit-headers).
    """

    def __init__(
        self,
        action: str,
        request: HttpRequest,
        account: str | int | None = None,
        *,
        of: type[BlogError] = Unauthenticated,
        always: bool = False,
    ) -> None:
        self.action = action
        self.request = request
        self.failure = of
        self.always = always
        self.left = 0
        free = settings.FREE_FAILURES
        self.keys = [(f"{action}:address:{_network(address_of(request))}", free)]
        if account is not None:
            # Hashed: people type their password where the name belongs.
            name = hashlib.sha256(str(account).strip().lower().encode()).hexdigest()
            self.keys.append((f"{action}:account:{name}", max(FREE_OF_AN_ACCOUNT, free)))

    def __enter__(self) -> Self:
        counted: list[tuple[str, int]] = []
        left = []
        for key, free in self.keys:
            verdict = limiter.count(key, free)
            if verdict.wait:
                self._forgive(counted)
                wait = ceil(verdict.wait)
                self._tell(0, wait)
                raise TooManyRequests(wait)
            counted.append((key, free))
            left.append(verdict.left)
        self.left = min(left)
        self._tell(self.left, MEMORY)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        harmless = kind is None or not issubclass(kind, (self.failure, asyncio.CancelledError))
        if harmless and not self.always:
            self._forgive(self.keys)
            self._tell(self.left + 1, MEMORY)
        elif not self.left:
            security_log.record("locked_out", action=self.action, address=address_of(self.request))

    async def __aenter__(self) -> Self:
        return await _off_the_loop(self.__enter__)

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await _off_the_loop(self.__exit__, kind)

    def _forgive(self, keys: list[tuple[str, int]]) -> None:
        for key, free in keys:
            limiter.forgive(key, free)

    def _tell(self, left: int, seconds: int) -> None:
        self.request.rate_limit = {  # type: ignore[attr-defined]
            "RateLimit-Policy": f'"{self.action}";q={settings.FREE_FAILURES};w={MEMORY}',
            "RateLimit": f'"{self.action}";r={left};t={min(seconds, MEMORY)}',
        }


def address_of(request: HttpRequest) -> str | None:
    """The client's address, None behind a Unix socket. uvicorn has put it right, for the proxies that are trusted."""
    try:
        address = ip_address(str(request.META.get("REMOTE_ADDR")).partition("%")[0])
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


def _network(address: str | None) -> str:
    """What one client has: an IPv4 address, or the 64 bits of an IPv6 network (RFC 6177)."""
    return str(ip_network(f"{address}/64", strict=False)) if address and ":" in address else str(address)


async def _off_the_loop(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call what asks Redis in a thread, and what only looks into a dictionary here."""
    if isinstance(limiter, ProcessLimiter):
        return function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)
