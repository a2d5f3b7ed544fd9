"""Captures log records, so that tests can read the security events."""

import json
import logging
from typing import Any


class Log(logging.Handler):
    """Keeps every record that is logged, and its text with all attributes of the record."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
        self.records: list[logging.LogRecord] = []
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.texts.append(f"{self.format(record)} {vars(record)!r}")

    def events(self) -> list[dict[str, Any]]:
        """The security events since the last call, each parsed from its line."""
        lines = [record.getMessage() for record in self.records if record.name == "blogsite.security"]
        self.records.clear()
        assert not any("\n" in line for line in lines)
        return [json.loads(line) for line in lines]

    def names(self) -> list[str]:
        """The names of the security events since the last call."""
        return [event["event"] for event in self.events()]
