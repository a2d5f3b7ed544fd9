"""Settings come from the environment, and a mistake in it is one clear line."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from blogsite.environment import Environment, read_environment

README = Path(__file__).parents[2] / "README.md"


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", "one.example, two.example,")
    assert read_environment().allowed_hosts == ["one.example", "two.example"]


def test_an_empty_setting_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOG_DATA_DIR", "")
    assert read_environment().blog_data_dir.name == "data"


def test_an_unknown_blog_setting_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
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
    ],
)
def test_a_bad_value_is_refused_in_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=f"Bad setting {name}: ") as refused:
        read_environment()
    assert "\n" not in str(refused.value)


def test_a_refusal_does_not_show_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOG_TOKEN_KEYS", "hunter2")
    with pytest.raises(ImproperlyConfigured) as refused:
        read_environment()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("name", Environment.model_fields)
def test_every_setting_is_explained_in_its_own_words_in_the_readme(name: str) -> None:
    description = Environment.model_fields[name].description
    assert f"| `{name.upper()}` |" in README.read_text()
    assert description
    assert description in README.read_text()
