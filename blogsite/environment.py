"""The one typed reader of the environment: settings are made of what it returns."""

import os
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from django.core.exceptions import ImproperlyConfigured
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _split(value: object) -> object:
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def _proxy(value: str) -> str:
    ip_network(value, strict=False)
    return value


TokenKey = Annotated[str, Field(min_length=32)]
Host = Annotated[str, Field(pattern=r"^(\*|\.?[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])$")]
Origin = Annotated[str, Field(pattern=r"^(\*|https?://[^/\s]+)$")]
Proxy = Annotated[str, AfterValidator(_proxy)]


class Environment(BaseSettings):
    """Every setting of Blogsite, read from the environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    blog_data_dir: Path = Field(
        default=Path(__file__).parent.parent / "data",
        description="Folder of `blog.sqlite3` and the generated secrets; back this up and nothing else.",
    )
    database_url: Annotated[str, Field(pattern=r"^(postgres|postgresql|sqlite)://")] | None = Field(
        default=None,
        description="`postgres://user:password@host/name`; empty for SQLite in the data folder.",
    )
    secret_key: Annotated[str, Field(min_length=32)] | None = Field(
        default=None,
        description="Signs admin sessions and cursors, 32 characters or more; generated on SQLite, required on "
        "PostgreSQL.",
    )
    blog_token_keys: Annotated[list[TokenKey], NoDecode, BeforeValidator(_split)] = Field(
        default=[],
        description="Keys of access tokens, 32 characters or more: the first signs, all verify; generated on SQLite, "
        "required on PostgreSQL.",
    )
    debug: bool = Field(default=False, description="Django's debug pages, for development only.")
    allowed_hosts: Annotated[list[Host], NoDecode, BeforeValidator(_split)] = Field(
        default=["localhost", "127.0.0.1", "[::1]"], description="Host names that the server answers to."
    )
    blog_url: str = Field(
        default="http://127.0.0.1:8000",
        pattern=r"^https?://[^/\s]+$",
        description="Public origin, without a slash at the end; `https` turns on redirect, HSTS and secure cookies.",
    )
    blog_registration: Literal["open", "closed"] = Field(
        default="open", description="Whether anybody may register: `open` or `closed`."
    )
    blog_max_body_bytes: int = Field(
        default=8 * 1024 * 1024, ge=1024, description="Longest request body, in bytes; a longer one is 413."
    )
    blog_body_timeout: float = Field(
        default=30, gt=0, description="Longest time for a request body to arrive, in seconds; a slower one is 408."
    )
    blog_response_cache_bytes: int = Field(
        default=64 * 1024 * 1024, ge=0, description="Memory for stored answers, in bytes and each worker; 0 for none."
    )
    blog_database_threads: int = Field(
        default=2, ge=1, le=64, description="Threads that read the database, in each worker."
    )
    cors_allowed_origins: Annotated[list[Origin], NoDecode, BeforeValidator(_split)] = Field(
        default=[], description="Origins whose pages may call the API from a browser; `*` for any."
    )
    forwarded_allow_ips: Annotated[list[Proxy], NoDecode, BeforeValidator(_split)] = Field(
        default=[], description="Addresses of proxies whose `X-Forwarded-*` headers count; empty for none."
    )


def read_environment() -> Environment:
    """Read and check the environment.

    Raises `ImproperlyConfigured`, in one line, for a bad value and for a `BLOG_…` name that is not a setting, so that
    a typing mistake is not a silent default.
    """
    known = {name.upper() for name in Environment.model_fields}
    unknown = sorted(name for name in os.environ if name.startswith("BLOG_") and name not in known)
    if unknown:
        names = ", ".join(sorted(name for name in known if name.startswith("BLOG_")))
        raise ImproperlyConfigured(f"Unknown setting {', '.join(unknown)}. The settings are {names}.")
    try:
        return Environment()
    except ValidationError as error:
        problems = (f"{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors(include_input=False))
        raise ImproperlyConfigured(f"Bad setting {'; '.join(problems)}.") from None
