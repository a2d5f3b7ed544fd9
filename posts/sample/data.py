"""The sample users and posts, and the words of generated posts, from the file `sample.toml` beside this module."""

import tomllib
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files

from accounts.models import Role


@dataclass(frozen=True)
class SampleUser:
    """A user of the sample data."""

    username: str
    full_name: str
    role: Role
    bio: str

    @property
    def email(self) -> str:
        return f"{self.username}@example.com"


@dataclass(frozen=True)
class SamplePost:
    """A post of the sample data.

    `age` is the time since its publication. A negative age means that it is scheduled, None that it is a draft.
    """

    author: str
    title: str
    tags: list[str]
    content: str
    age: timedelta | None = None
    trashed: bool = False


_data = tomllib.loads(files(__package__).joinpath("sample.toml").read_text("utf-8"))
USERS = [SampleUser(**user | {"role": Role(user["role"])}) for user in _data["users"]]
POSTS = [SamplePost(**post | {"age": timedelta(**post["age"]) if "age" in post else None}) for post in _data["posts"]]
GENERATED_TAGS: list[str] = _data["generated"]["tags"]
SENTENCE_PARTS: list[list[str]] = _data["generated"]["sentence_parts"]
