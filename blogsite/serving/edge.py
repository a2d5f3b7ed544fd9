"""The outermost layer: what holds for every request and every answer, whoever gives it."""

import random
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from django.http.request import split_domain_port, validate_host

from blogsite.errors import Malformed
from blogsite.serving.asgi import (
    REQUEST_ID,
    START,
    App,
    Headers,
    Message,
    Receive,
    Scope,
    Send,
    answer,
    headers_of,
    refuse,
)

SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_random = random.Random()  # noqa: S311 - an id is no secret, and the kernel's generator takes longer

ALLOWED_METHODS = b"GET, HEAD, POST, PATCH, DELETE, OPTIONS"
ALLOWED_HEADERS = b"Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, X-Request-ID"
EXPOSED_HEADERS = b"ETag, Location, Retry-After, RateLimit, RateLimit-Policy, X-Cache, X-Request-ID"
PREFLIGHT_SECONDS = b"86400"

# What an API's answer needs (OWASP REST Security Cheat Sheet). Pages get theirs from Django's own middleware.
NOSNIFF = (b"x-content-type-options", b"nosniff")
NO_CONTENT_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")


class Edge:
    """Gives each request an id; checks its Host; sends HTTP on to HTTPS; answers CORS; adds security headers.

    CORS: https://fetch.spec.whatwg.org/#http-cors-protocol, for `cors_origins`, of which `*` is any.

    A client's own `X-Request-ID` is kept when it is 1 to 64 of letters, digits and `._-`. The id stands in the
    headers of the request that the inner layers see, and in those of the answer. `hsts_seconds` above 0 means that
    the blog is served over HTTPS: any other request is redirected (308), and answers carry HSTS (RFC 6797). A
    path that `is_page` has its security headers already, by Django's middleware.
    """

    def __init__(
        self,
        app: App,
        *,
        allowed_hosts: Sequence[str],
        cors_origins: Sequence[str] = (),
        hsts_seconds: int = 0,
        is_page: Callable[[str], bool] = lambda path: False,
    ) -> None:
        self.app = app
        self.cors_origins = {origin.encode() for origin in cors_origins}
        self.https = hsts_seconds > 0
        self.is_page = is_page
        self.security_headers: Headers = [NOSNIFF, NO_CONTENT_POLICY]
        if self.https:
            self.security_headers.append((b"strict-transport-security", b"max-age=%d" % hsts_seconds))

        @lru_cache(maxsize=1000)
        def is_allowed(host: bytes) -> bool:
            domain, _port = split_domain_port(host.decode("latin-1"))
            return bool(domain) and validate_host(domain, allowed_hosts)

        self.is_allowed = is_allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        request_id = headers.get(REQUEST_ID)
        if request_id is None or not SANE_ID.fullmatch(request_id):
            if request_id is not None:
                scope["headers"] = [pair for pair in scope["headers"] if pair[0] != REQUEST_ID]
            request_id = headers[REQUEST_ID] = b"%024x" % _random.getrandbits(96)
            scope["headers"].append((REQUEST_ID, request_id))
        added = [(REQUEST_ID, request_id)]
        if not self.is_page(scope["path"]):
            added += self.security_headers
        cross_origin = False
        if self.cors_origins:
            cross_origin = self._add_cors(added, headers.get(b"origin"))

        async def send_with_added(message: Message) -> None:
            if message["type"] == START:
                message = {"type": START, "status": message["status"], "headers": message["headers"] + added}
            await send(message)

        host = headers.get(b"host", b"")
        if not self.is_allowed(host) or (len(headers) < len(scope["headers"]) and _hosts(scope) > 1):
            return await refuse(scope, send_with_added, Malformed("This server does not answer to that Host."))
        if self.https and scope["scheme"] != "https":
            query = b"?" + scope["query_string"] if scope["query_string"] else b""
            location = b"https://" + host + scope["raw_path"] + query
            return await answer(send_with_added, 308, [(b"location", location)])
        if cross_origin and scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            allowed = [
                (b"access-control-allow-methods", ALLOWED_METHODS),
                (b"access-control-allow-headers", ALLOWED_HEADERS),
                (b"access-control-max-age", PREFLIGHT_SECONDS),
            ]
            return await answer(send_with_added, 204, allowed)
        await self.app(scope, receive, send_with_added)

    def _add_cors(self, added: Headers, origin: bytes | None) -> bool:
        """Add what a page of `origin` must be told, and return whether it may call us."""
        added.append((b"vary", b"Origin"))
        if origin is None or not self.cors_origins & {origin, b"*"}:
            return False
        added += [(b"access-control-allow-origin", origin), (b"access-control-expose-headers", EXPOSED_HEADERS)]
        return True


def _hosts(scope: Scope) -> int:
    """How many times the request names its host: RFC 9112, 3.2 allows one."""
    return sum(name == b"host" for name, _ in scope["headers"])
