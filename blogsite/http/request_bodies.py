"""How request bodies are read: JSON as RFC 8259 defines it, and forms with exactly the known fields."""

import json
from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser

from blogsite.errors import FieldError, Invalid, UnsupportedMedia
from blogsite.http import problems

JSON_TYPES = {"application/json", "application/merge-patch+json"}


class JSONParser(Parser):
    """Reads JSON bodies, and no others. Raises `UnsupportedMedia` for another `Content-Type`."""

    def parse_body(self, request: HttpRequest) -> Any:
        if request.content_type not in JSON_TYPES:
            raise UnsupportedMedia("Send JSON, as Content-Type: application/json.")
        # Not `orjson`, for which a lone surrogate is malformed JSON (400): it is text that cannot be stored (422).
        return json.loads(request.body.decode(), parse_constant=_refuse_constant)


def require_form_fields(request: HttpRequest, *, texts: set[str], files: set[str]) -> None:
    """Raise `Invalid` if the form has a field with another name, or one of these twice."""
    errors: dict[str, str] = {}
    for fields, known in ((request.POST, texts), (request.FILES, files)):
        errors |= {name: "unknown" for name in fields if name not in known}
        errors |= {name: "repeated" for name in known if len(fields.getlist(name)) > 1}
    if errors:
        message = (
            f"The form has {', '.join(sorted(texts))} as text and {', '.join(sorted(files))} as a file, once each."
        )
        raise Invalid(errors=[FieldError(problems.pointer([name]), code, message) for name, code in errors.items()])


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")  # RFC 8259 has neither NaN nor Infinity
