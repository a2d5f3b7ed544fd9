"""Reads and validates the environment variables of which Django's settings are made."""

import os
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _split_list(value: object) -> object:
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def _check_proxy(value: str) -> str:
    ip_network(value, strict=False)
    return value


def _check_reset_url(url: str) -> str:
    if "{uid}" not in url or "{token}" not in url or not url.startswith(("http://", "https://")):
        raise ValueError("must be an http or https URL that contains {uid} and {token}")
    return url


def _scheme(url: str) -> str:
    """Return the scheme of a URL, or an empty string if the URL is invalid, for example because of its port."""
    try:
        return "" if urlsplit(url).port == 0 else urlsplit(url).scheme
    except ValueError:
        return ""


def _check_redis_url(url: str) -> str:
    if not url.startswith(("redis://", "rediss://", "unix://")) or not _scheme(url):
        raise ValueError("must be like redis://host:6379/0, rediss://host:6379/0 or unix:///path")
    if find_spec("redis") is None:
        raise ValueError("requires a package: pip install -e '.[redis]'")
    return url


def _check_email_url(url: str) -> str:
    scheme = _scheme(url)
    if scheme not in MAIL_SCHEMES or (scheme != "console" and not urlsplit(url).hostname):
        raise ValueError(f"must be like {', '.join(f'{name}://' for name in MAIL_SCHEMES)}, with a host")
    return url


def _check_media_storage(url: str) -> str:
    parts = urlsplit(url)
    unknown = dict(parse_qsl(parts.query)).keys() - {"region_name", "endpoint_url", "addressing_style"}
    if parts.scheme != "s3" or not parts.hostname or unknown:
        raise ValueError("must be like s3://bucket/folder?region_name=eu-west-1&endpoint_url=https://s3.example.org")
    if find_spec("storages") is None:
        raise ValueError("requires a package: pip install -e '.[s3]'")
    return url


MAIL_SCHEMES: dict[str, dict[str, Any]] = {
    "console": {},
    "smtp": {"EMAIL_PORT": 25},
    "smtp+tls": {"EMAIL_PORT": 587, "EMAIL_USE_TLS": True},
    "smtp+ssl": {"EMAIL_PORT": 465, "EMAIL_USE_SSL": True},
}
Secret = Annotated[str, Field(min_length=32)]
Host = Annotated[str, Field(pattern=r"^(\*|\.?[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])$")]
Origin = Annotated[str, Field(pattern=r"^(\*|https?://[^/\s]+)$")]
Proxy = Annotated[str, AfterValidator(_check_proxy)]
DatabaseURL = Annotated[str, Field(pattern=r"^(postgres|postgresql|sqlite)://")]
PostURL = Annotated[str, Field(pattern=r"^https?://[^/\s{}]+/[^\s{}]*\{slug\}[^\s{}]*$")]
ResetURL = Annotated[str, AfterValidator(_check_reset_url)]
RedisURL = Annotated[str, AfterValidator(_check_redis_url)]
EmailURL = Annotated[str, AfterValidator(_check_email_url)]
MediaStorage = Annotated[str, AfterValidator(_check_media_storage)]
LanguageTag = Annotated[str, Field(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$")]

Item = TypeVar("Item")
CommaSeparated = Annotated[list[Item], NoDecode, BeforeValidator(_split_list)]


class Environment(BaseSettings):
    """All settings of Blogsite. Each is read from the environment variable of the same name in upper case.

    The text below a field is its description, which the README repeats.
    """

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, use_attribute_docstrings=True)

    blog_data_dir: Path = Path(__file__).parent.parent / "data"
    """Folder of `blog.sqlite3`, `media` and the generated secrets. It is all that needs a backup."""
    database_url: DatabaseURL | None = None
    """`postgres://user:password@host/name`. Empty: SQLite in the data folder."""
    secret_key: Secret | None = None
    """Signs admin sessions and cursors; at least 32 characters. Generated on SQLite, required on PostgreSQL."""
    blog_token_keys: CommaSeparated[Secret] = []
    """Keys of access tokens, at least 32 characters each: the first one signs, all verify. Required on PostgreSQL."""
    debug: bool = False
    """Shows Django's debug pages; for development only."""
    allowed_hosts: CommaSeparated[Host] = ["localhost", "127.0.0.1", "[::1]"]
    """Host names that the server accepts."""
    blog_url: str = Field("http://127.0.0.1:8000", pattern=r"^https?://[^/\s]+$")
    """Public origin, without a final slash. `https` enables HTTPS redirects, HSTS and secure cookies."""
    blog_post_url: PostURL | None = None
    """Public URL of a post, such as `https://example.org/posts/{slug}`. Empty: `posts/{slug}` below `BLOG_URL`."""
    blog_title: str = "Blogsite"
    """Title of the site in its feeds."""
    blog_description: str = "The newest posts."
    """Description of the site in its feeds."""
    blog_language: LanguageTag = "en"
    """Language of the posts in the feeds: a language tag such as `en` or `pt-BR`."""
    blog_registration: Literal["open", "closed"] = "open"
    """Whether anyone can register an account: `open` or `closed`."""
    blog_password_reset_url: ResetURL | None = None
    """Link of a password reset, with `{uid}` and `{token}`. Empty: `password-reset` below `BLOG_URL`."""
    blog_free_failures: int = Field(10, ge=1)
    """Failed logins and similar attempts after which a client address must wait."""
    redis_url: RedisURL | None = None
    """`redis://host:6379/0`: workers count failures together. Empty: each on its own."""
    email_url: EmailURL = "console://"
    """`smtp://user:password@host:25`, `smtp+tls://…:587` or `smtp+ssl://…:465`. `console://` prints mails instead."""
    blog_mail_from: str = "blog@localhost"
    """Sender address of mails."""
    blog_revisions_keep: int | None = Field(None, ge=1)
    """Number of revisions that are kept of each post. Empty: all of them."""
    blog_max_body_bytes: int = Field(8 * 1024 * 1024, ge=1024)
    """Longest request body in bytes, except for uploads. A longer one gets 413."""
    blog_body_timeout: float = Field(30, gt=0)
    """Longest time in seconds for a request body, plus one second for each 64 KiB. A slower one gets 408."""
    blog_response_cache_bytes: int = Field(64 * 1024 * 1024, ge=0)
    """Memory for cached responses, in bytes per worker. 0: no cache."""
    blog_media_storage: MediaStorage | None = None
    """`s3://bucket/folder?region_name=…&endpoint_url=https://…`. Empty: `media` in the data folder."""
    blog_media_public_url: str | None = Field(None, pattern=r"^https?://[^\s?#]+[^\s?#/]$")
    """Public URL of the bucket or of its CDN. Empty: links to files are signed."""
    blog_media_quota: int = Field(1024**3, ge=0)
    """Storage for the files of each user in bytes. 0 means no limit."""
    blog_public_max_age: int = Field(0, ge=0)
    """How many seconds browsers and CDNs may cache public responses."""
    blog_database_threads: int = Field(2, ge=1, le=64)
    """Threads that read from the database, in each worker."""
    cors_allowed_origins: CommaSeparated[Origin] = []
    """Origins whose pages may call the API from a browser; `*` allows any."""
    forwarded_allow_ips: CommaSeparated[Proxy] = []
    """Addresses of proxies whose `X-Forwarded-*` headers are trusted. Empty: none."""

    def media_storage(self) -> dict[str, Any]:
        """Return the entry of Django's `STORAGES` for `BLOG_MEDIA_STORAGE`."""
        if self.blog_media_storage is None:
            options: dict[str, Any] = {"location": self.blog_data_dir.absolute() / "media", "allow_overwrite": True}
            return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": options}
        parts = urlsplit(self.blog_media_storage)
        public = urlsplit(self.blog_media_public_url or "")
        options = {
            **dict(parse_qsl(parts.query)),
            "bucket_name": parts.hostname,
            "location": parts.path.strip("/"),
            "signature_version": "s3v4",
            "querystring_expire": 3600,
            "object_parameters": {"CacheControl": "public, max-age=31536000, immutable"},
        }
        if public.netloc:
            options |= {"custom_domain": f"{public.netloc}{public.path}", "url_protocol": f"{public.scheme}:"}
        return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}

    def media_origins(self) -> list[str]:
        """Return the origins other than our own from which the admin site may load images."""
        if self.blog_media_storage is None:
            return []
        storage = urlsplit(self.blog_media_storage)
        endpoint = dict(parse_qsl(storage.query)).get("endpoint_url")
        public = urlsplit(self.blog_media_public_url or endpoint or "https://*.amazonaws.com")
        in_bucket = [f"{public.scheme}://{storage.hostname}.{public.netloc}"] if public.netloc[0].isalpha() else []
        return [f"{public.scheme}://{public.netloc}", *in_bucket]

    def email_settings(self) -> dict[str, Any]:
        """Return Django's `EMAIL_*` settings for `EMAIL_URL`."""
        parts = urlsplit(self.email_url)
        if parts.scheme == "console":
            return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
        settings = {
            **MAIL_SCHEMES[parts.scheme],
            "EMAIL_HOST": parts.hostname,
            "EMAIL_HOST_USER": unquote(parts.username or ""),
            "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
            "EMAIL_TIMEOUT": 30,
        }
        return settings | ({"EMAIL_PORT": parts.port} if parts.port else {})


def read_environment() -> Environment:
    """Read and validate the environment.

    Raises `ImproperlyConfigured`, with a message of one line, for an invalid value and for an unknown variable
    `BLOG_…`, so that a misspelt name is not silently ignored.
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
