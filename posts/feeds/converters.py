"""Converters for the URLs of feeds. A value that cannot be a tag or a username raises `ValueError`: 404."""

import re

from django.urls.converters import PathConverter, StringConverter
from pydantic import TypeAdapter

from accounts.schemas import Username
from posts.feeds.formats import FORMATS
from posts.schemas import TAG

_username: TypeAdapter[str] = TypeAdapter(Username)


class FormatConverter(StringConverter):
    """The name of one of the `FORMATS`."""

    regex = "|".join(map(re.escape, FORMATS))


class TagConverter(PathConverter):
    """A tag, in upper or lower case."""

    def to_python(self, value: str) -> str:
        return TAG.validate_python(value)


class UsernameConverter(StringConverter):
    """A username."""

    def to_python(self, value: str) -> str:
        return _username.validate_python(value)
