"""The security log: events of accounts in JSON, for programs. Never pass a password or a token to it."""

import json
import logging
from typing import Any

logger = logging.getLogger("blogsite.security")


def record(event: str, **fields: Any) -> None:
    """Log a security event as one JSON object on one line. JSON escapes line breaks in values sent by clients."""
    logger.info(json.dumps({"event": event, **fields}))
