"""The outermost layer: what holds for every request and every answer, whoever gives it."""

import random
import re
from collections.abc import Sequence
from functools import lru_cache

from django.http.request import split_domain_port, validate_host

from blogsite.errors import Malformed
from blogsite.serving import REQUEST_ID, App, Headers, Message, Receive, Scope, Send, answer, refuse

_random = random.Random()  # noqa: S311 - an id is no secret, and the kernel's generator takes longer
SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")

ALLOWED_METHODS = b"GET, HEAD, POST, PATCH, DELETE, OPTIONS"
ALLOWED_HEADERS = b"Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, X-Request-ID"
EXPOSED_HEADERS = b"ETag, Location, Retry-After, RateLimit, RateLimit-Policy, X-Cache, X-Request-ID"
PREFLIGHT_SECONDS = b"86400"

# What an API's answer needs (OWASP REST Security Cheat Sheet). Pages get theirs from Django's own middleware.
SECURITY_HEADERS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]


class Edge:
    """Gives each request an id; checks its Host; sends HTTP on to HTTPS; answers CORS; adds security headers.

    CORS: https://fetch.spec.whatwg.org/#http-cors-protocol, for `cors_origins`, of which `*` is any.

    A client's own `X-Request-ID` is kept when it is 1 to 64 of letters, digits and `._-`. The id stands in the
    headers of the request that the inner layers see, and in those of the answer. `hsts_seconds` above 0 means that
    the blog is served over HTTPS: any other request is redirected (308), and answers carry HSTS (RFC 6797).
    """

    def __init__(
        self, app: App, *, allowed_hosts: Sequence[str], cors_origins: Sequence[str] = (), hsts_seconds: int = 0
    ) -> None:
        self.app = app
        self.cors_origins = {origin.encode() for origin in cors_origins}
        self.https = hsts_seconds > 0
        self.security_headers = [*SECURITY_HEADERS]
        if self.https:
            self.security_headers.append((b"strict-transport-security", b"max-age=%d" % hsts_seconds))

        @lru_cache(maxsize=1000)
        def is_allowed(host: bytes) -> bool:
            domain, _port = split_domain_port(host.decode("latin-1"))
            return bool(domain) and validate_host(domain, allowed_hosts)

        self.is_allowed = is_allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = dict(scope["headers"])
        request_id = headers.get(REQUEST_ID, b"")
        if not SANE_ID.fullmatch(request_id):
            request_id = b"%024x" % _random.getrandbits(96)
            scope["headers"] = [*(pair for pair in scope["headers"] if pair[0] != REQUEST_ID), (REQUEST_ID, request_id)]
        origin = headers.get(b"origin", b"")
        cross_origin = bool(self.cors_origins & {origin, b"*"}) and bool(origin)
        added = [(REQUEST_ID, request_id)]
        if self.cors_origins:
            added.append((b"vary", b"Origin"))
        if cross_origin:
            added += [(b"access-control-allow-origin", origin), (b"access-control-expose-headers", EXPOSED_HEADERS)]

        async def send_dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message["headers"]
                undressed = b"X-Content-Type-Options" not in dict(given)
                dress = self.security_headers if undressed else ()
                message = {**message, "headers": [*given, *added, *dress]}
            await send(message)

        host = headers.get(b"host", b"")
        if not self.is_allowed(host):
            return await refuse(scope, send_dressed, Malformed("This server does not answer to that Host."))
        if self.https and scope["scheme"] != "https":
            query = b"?" + scope["query_string"] if scope["query_string"] else b""
            location = b"https://" + host + scope["raw_path"] + query
            return await answer(send_dressed, 308, [(b"location", location)])
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers and cross_origin:
            allowed = [
                (b"access-control-allow-methods", ALLOWED_METHODS),
                (b"access-control-allow-headers", ALLOWED_HEADERS),
                (b"access-control-max-age", PREFLIGHT_SECONDS),
            ]
            return await answer(send_dressed, 204, allowed)
        return await self.app(scope, receive, send_dressed)
