"""The ASGI layers, one file each. `blogsite.asgi` puts them in order."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application: https://asgi.readthedocs.io/en/stable/specs/www.html."""
