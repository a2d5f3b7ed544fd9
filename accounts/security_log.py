"""What happens to accounts, as lines of the log that a program can read. No password and no token ever gets here."""

import json
import logging
from typing import Any

logger = logging.getLogger("blogsite.security")


def record(event: str, **facts: Any) -> None:
    """Log a security event, as one JSON object: a client's text cannot make a line of its own."""
    logger.info(json.dumps({"event": event, **facts}))
