"""Every request has an id: in the log, in each problem, and in the answer's `X-Request-ID`."""

import re
import secrets

from blogsite.serving import App, Message, Receive, Scope, Send

HEADER = b"x-request-id"
SANE = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class RequestId:
    """Keeps a client's own id when it is sane (1 to 64 of letters, digits, `._-`), else gives the request one."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        given = next((value for name, value in scope["headers"] if name == HEADER), b"")
        request_id = given if SANE.fullmatch(given) else secrets.token_hex(12).encode()
        others = [(name, value) for name, value in scope["headers"] if name != HEADER]

        async def send_with_id(event: Message) -> None:
            if event["type"] == "http.response.start":
                event = {**event, "headers": [*event["headers"], (HEADER, request_id)]}
            await send(event)

        return await self.app({**scope, "headers": [*others, (HEADER, request_id)]}, receive, send_with_id)
