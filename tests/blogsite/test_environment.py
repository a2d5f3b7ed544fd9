"""Settings are read from the environment, and an error in it is reported in one line."""

import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import get_connection

from blogsite.environment import Environment, read_environment

README = Path(__file__).parents[2] / "README.md"


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", "one.example, two.example,")
    assert read_environment().allowed_hosts == ["one.example", "two.example"]


def test_an_empty_setting_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOG_DATA_DIR", "")
    assert read_environment().blog_data_dir.name == "data"


def test_an_unknown_setting_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOG_REGISTRATON", "closed")
    with pytest.raises(ImproperlyConfigured, match="BLOG_REGISTRATON"):
        read_environment()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BLOG_URL", "blog.example.org"),
        ("BLOG_URL", "https://blog.example.org/"),
        ("BLOG_REGISTRATION", "perhaps"),
        ("BLOG_MAX_BODY_BYTES", "many"),
        ("BLOG_TOKEN_KEYS", "short"),
        ("DEBUG", "maybe"),
        ("SECRET_KEY", "short"),
        ("DATABASE_URL", "mysql://a:b@c/d"),
        ("ALLOWED_HOSTS", "http://blog.example.org"),
        ("CORS_ALLOWED_ORIGINS", "localhost:5173"),
        ("CORS_ALLOWED_ORIGINS", "http://localhost:5173/"),
        ("FORWARDED_ALLOW_IPS", "proxy"),
        ("BLOG_PASSWORD_RESET_URL", "https://app.example/{uid}"),
        ("BLOG_PASSWORD_RESET_URL", "https://app.example/{token}"),
        ("BLOG_PASSWORD_RESET_URL", "/reset/{uid}/{token}"),
        ("BLOG_PASSWORD_RESET_URL", "javascript:alert('{uid}{token}')"),
        ("BLOG_FREE_FAILURES", "0"),
        ("BLOG_FREE_FAILURES", "few"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "http://localhost:6379"),
        ("REDIS_URL", "redis:localhost"),
        ("REDIS_URL", "redis://localhost:port"),
        ("REDIS_URL", "redis://[::1"),
        ("EMAIL_URL", "console"),
        ("EMAIL_URL", "mail.example.org:25"),
        ("EMAIL_URL", "imap://mail.example.org"),
        ("EMAIL_URL", "smtp://"),
        ("EMAIL_URL", "smtp://:25"),
        ("EMAIL_URL", "smtp://mail.example.org:port"),
        ("EMAIL_URL", "smtp://mail.example.org:0"),
        ("EMAIL_URL", "smtp://mail.example.org:99999"),
        ("EMAIL_URL", "smtp://[::1"),
    ],
)
def test_an_invalid_value_is_an_error_of_one_line_that_names_the_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=f"Bad setting {name}: ") as error:
        read_environment()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BLOG_TOKEN_KEYS", "hunter2"),
        ("EMAIL_URL", "imap://ada:hunter2@mail.example.org"),
        ("EMAIL_URL", "smtp://ada:hunter2/3@mail.example.org"),
        ("REDIS_URL", "http://ada:hunter2@localhost"),
        ("REDIS_URL", "redis://ada:hunter2/3@localhost"),
    ],
)
def test_an_error_does_not_contain_a_secret(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured) as error:
        read_environment()
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.org", {}),
        ("smtp://mail.example.org:2525", {"port": 2525}),
        ("smtp://[::1]:2525", {"host": "::1", "port": 2525}),
        ("smtp://ada:hunter2@mail.example.org", {"username": "ada", "password": "hunter2"}),
        ("smtp+tls://ada%40example.org:a%2Fb%3A%40@mail.example.org:587",
         {"username": "ada@example.org", "password": "a/b:@", "port": 587, "use_tls": True}),
        ("smtp+ssl://mail.example.org:465", {"port": 465, "use_ssl": True}),
        ("SMTP://mail.example.org", {}),
    ],
)  # fmt: skip
def test_djangos_mail_connection_uses_the_email_url(
    monkeypatch: pytest.MonkeyPatch, settings: Any, url: str, expected: dict[str, Any]
) -> None:
    monkeypatch.setenv("EMAIL_URL", url)
    for name, value in read_environment().email_settings().items():
        setattr(settings, name, value)
    connection: Any = get_connection("django.core.mail.backends.smtp.EmailBackend")
    plain = {"host": "mail.example.org", "port": 25, "username": "", "password": "", "use_tls": False, "use_ssl": False}
    assert {name: getattr(connection, name) for name in plain} == {**plain, **expected}
    assert connection.timeout == 30


def test_mails_are_printed_if_no_server_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMAIL_URL", raising=False)
    printed = {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    assert read_environment().email_settings() == printed
    monkeypatch.setenv("EMAIL_URL", "console://")
    assert read_environment().email_settings() == printed


@pytest.mark.parametrize("url", ["redis://localhost", "redis://:secret@[::1]:6379/1", "rediss://a:b@c:1", "unix:///r"])
def test_valid_redis_urls_are_accepted(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    assert read_environment().redis_url == url


def test_redis_without_its_package_is_an_error_with_the_command_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://localhost")
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ImproperlyConfigured, match=r"Bad setting REDIS_URL: .*pip install -e '\.\[redis\]'"):
        read_environment()


def test_the_link_of_a_password_reset_may_be_any_http_url(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://app.example/#/reset?u={uid}&t={token}"
    monkeypatch.setenv("BLOG_PASSWORD_RESET_URL", url)
    assert read_environment().blog_password_reset_url == url


def test_by_default_the_link_of_a_password_reset_is_below_the_site_url() -> None:
    assert configured.PASSWORD_RESET_URL == "http://127.0.0.1:8000/password-reset?uid={uid}&token={token}"


@pytest.mark.parametrize("name", Environment.model_fields)
def test_the_readme_contains_the_description_of_every_setting(name: str) -> None:
    description = Environment.model_fields[name].description
    assert f"| `{name.upper()}` |" in README.read_text()
    assert description
    assert description in README.read_text()
