"""The outermost HTTP layer: request ids, the Host check, HTTPS, CORS and security headers."""

import random
import re
from collections.abc import Sequence
from functools import lru_cache

from django.http.request import split_domain_port, validate_host

from blogsite.errors import Malformed
from blogsite.http.routes import Handler
from blogsite.serving import asgi
from blogsite.serving.asgi import REQUEST_ID, START, App, Headers, Message, Receive, Scope, Send

REQUEST_ID_PATTERN = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_random = random.Random()  # noqa: S311 - an id is not a secret, and the system's generator is slower

ALLOWED_HEADERS = b"Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, X-Request-ID"
EXPOSED_HEADERS = b"ETag, Location, Retry-After, RateLimit, RateLimit-Policy, X-Cache, X-Request-ID"
PREFLIGHT_HEADERS: Headers = [
    (b"access-control-allow-methods", b"GET, HEAD, POST, PATCH, DELETE, OPTIONS"),
    (b"access-control-allow-headers", ALLOWED_HEADERS),
    (b"access-control-max-age", b"86400"),
]

# For the API (OWASP REST Security Cheat Sheet). Django's middleware adds those of HTML pages.
NOSNIFF = (b"x-content-type-options", b"nosniff")
CONTENT_SECURITY_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")


class Edge:
    """Gives each request an id, checks its Host, redirects HTTP to HTTPS, handles CORS and adds security headers.

    - Request id: a client's `X-Request-ID` is kept if it consists of 1 to 64 letters, digits and `._-`. The id is in
      the headers of the request that inner layers see, and in the headers of the response.
    - CORS: https://fetch.spec.whatwg.org/#http-cors-protocol for `cors_origins`; `*` allows any origin.
    - HTTPS: if `hsts_seconds` is above 0, the site is served over HTTPS. Other requests are redirected (308), and
      responses carry HSTS (RFC 6797).
    - Security headers: not for pages, to which Django's middleware adds them.
    """

    def __init__(
        self, app: App, *, allowed_hosts: Sequence[str], cors_origins: Sequence[str] = (), hsts_seconds: int = 0
    ) -> None:
        self.app = app
        self.cors_origins = {origin.encode() for origin in cors_origins}
        self.https = hsts_seconds > 0
        self.security_headers: Headers = [NOSNIFF, CONTENT_SECURITY_POLICY]
        if self.https:
            self.security_headers.append((b"strict-transport-security", b"max-age=%d" % hsts_seconds))

        @lru_cache(maxsize=1000)
        def is_allowed(host: bytes) -> bool:
            domain, _port = split_domain_port(host.decode("latin-1"))
            return bool(domain) and validate_host(domain, allowed_hosts)

        self.is_allowed = is_allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = asgi.headers_of(scope)
        request_id = headers.get(REQUEST_ID)
        if request_id is None or not REQUEST_ID_PATTERN.fullmatch(request_id):
            if request_id is not None:
                scope["headers"] = [pair for pair in scope["headers"] if pair[0] != REQUEST_ID]
            request_id = headers[REQUEST_ID] = b"%024x" % _random.getrandbits(96)
            scope["headers"].append((REQUEST_ID, request_id))
        added = [(REQUEST_ID, request_id)]
        if asgi.route_of(scope).handler is not Handler.PAGES:
            added += self.security_headers
        cross_origin = bool(self.cors_origins) and self._add_cors(added, headers.get(b"origin"))

        async def send_with_added(message: Message) -> None:
            if message["type"] == START:
                message = {"type": START, "status": message["status"], "headers": message["headers"] + added}
            await send(message)

        host = headers.get(b"host", b"")
        # RFC 9112, 3.2 allows one Host header. Names are counted only if one of them is repeated.
        is_repeated = len(headers) < len(scope["headers"]) and [name for name, _ in scope["headers"]].count(b"host") > 1
        if is_repeated or not self.is_allowed(host):
            return await asgi.send_problem(scope, send_with_added, Malformed("This server does not serve that Host."))
        if self.https and scope["scheme"] != "https":
            query = b"?" + scope["query_string"] if scope["query_string"] else b""
            location = b"https://" + host + scope["raw_path"] + query
            return await asgi.send_response(send_with_added, 308, [(b"location", location)])
        if cross_origin and scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            return await asgi.send_response(send_with_added, 204, PREFLIGHT_HEADERS)
        await self.app(scope, receive, send_with_added)

    def _add_cors(self, added: Headers, origin: bytes | None) -> bool:
        """Add the CORS headers of any response to `origin`, and return whether that origin is allowed."""
        added.append((b"vary", b"Origin"))
        if origin is None or not self.cors_origins & {origin, b"*"}:
            return False
        added += [(b"access-control-allow-origin", origin), (b"access-control-expose-headers", EXPOSED_HEADERS)]
        return True
