"""`manage.py serve`, run as a process."""

import re
import signal
import socket
from pathlib import Path

import httpx
import pytest

from tests.server import free_port, manage, serving


def test_the_demo_prints_its_urls_and_passwords(tmp_path: Path) -> None:
    with serving(tmp_path, "--demo") as server:
        printed = server.log.read_text()
        assert f"{server.url}/api/v1/docs" in printed
        assert f"{server.url}/admin/" in printed
        for username in ("admin", "editor", "author", "coauthor", "reader"):
            password = re.search(rf"^ *{username} +password: (\S+)$", printed, re.MULTILINE)
            assert password
            credentials = {"username": username, "password": password[1]}
            session = httpx.post(f"{server.url}/api/v1/auth/login", json=credentials).json()
            headers = {"Authorization": f"Bearer {session['access_token']}"}
            assert httpx.get(f"{server.url}/api/v1/users/me", headers=headers).json()["username"] == username
        assert len(httpx.get(f"{server.url}/api/v1/posts").json()["items"]) >= 10
        for page in (
            "/api/v1/docs",
            "/static/ninja/swagger-ui-bundle.js",
            "/admin/login/",
            "/static/admin/css/base.css",
        ):
            assert httpx.get(server.url + page).status_code == 200
        assert server.stop() in (0, -signal.SIGTERM)


def test_the_demo_adds_no_sample_data_beside_users(tmp_path: Path) -> None:
    assert manage(tmp_path, "migrate", "-v0").returncode == 0
    created = manage(
        tmp_path, "createsuperuser", "--noinput", "--username=ada", "--email=ada@example.com",
        DJANGO_SUPERUSER_PASSWORD="quiet-river-lantern",
    )  # fmt: skip
    assert created.returncode == 0, created.stderr
    with serving(tmp_path, "--demo") as server:
        assert "no sample data" in server.log.read_text()
        assert httpx.get(f"{server.url}/api/v1/posts").json()["items"] == []


def test_the_secrets_are_created_once_and_readable_only_by_their_owner(tmp_path: Path) -> None:
    assert manage(tmp_path, "check").returncode == 0
    before = {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()}
    assert manage(tmp_path, "check").returncode == 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()} == before
    assert before.keys() == {"secret_key", "token_key"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())


def test_an_unknown_setting_is_an_error_of_one_line(tmp_path: Path) -> None:
    result = manage(tmp_path, "serve", BLOG_REGISTRATON="closed")
    assert result.returncode == 1
    assert result.stderr.startswith("Unknown setting BLOG_REGISTRATON.")
    assert result.stderr.count("\n") == 1


def test_postgresql_requires_keys_that_all_servers_share(tmp_path: Path) -> None:
    result = manage(tmp_path, "check", DATABASE_URL="postgres://127.0.0.1/blog")
    assert result.returncode == 1
    assert result.stderr == "With PostgreSQL, set SECRET_KEY and BLOG_TOKEN_KEYS, the same on every server.\n"


def test_the_deployment_check_passes_in_production(tmp_path: Path) -> None:
    checked = manage(
        tmp_path, "check", "--deploy", "--fail-level=WARNING",
        BLOG_URL="https://blog.example.org", ALLOWED_HOSTS="blog.example.org",
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("argument", ["--port=0", "--port=99999", "--port=x", "--workers=0", "--workers=-2"])
def test_an_invalid_number_is_an_error_that_names_the_option(tmp_path: Path, argument: str) -> None:
    result = manage(tmp_path, "serve", argument)
    assert result.returncode == 2
    assert argument.partition("=")[0] in result.stderr.splitlines()[-1]


def test_a_port_in_use_is_an_error_before_the_database_is_created(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = manage(tmp_path, "serve", "--demo", "--port", str(port))
    assert result.returncode == 1
    assert f"Cannot listen on 127.0.0.1, port {port}" in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "blog.sqlite3").exists()


def test_without_migration_an_outdated_database_is_an_error(tmp_path: Path) -> None:
    result = manage(tmp_path, "serve", "--no-migrate", "--port", str(free_port()))
    assert result.returncode == 1
    assert result.stderr == "CommandError: The database is not up to date: run manage.py migrate.\n"


def test_an_unreachable_database_is_an_error_of_one_line(tmp_path: Path) -> None:
    result = manage(
        tmp_path, "seed",
        DATABASE_URL="postgres://nobody@127.0.0.1:1/none", SECRET_KEY="s" * 50, BLOG_TOKEN_KEYS="t" * 50,
    )  # fmt: skip
    assert result.returncode == 1
    assert "CommandError: The database does not answer: " in result.stderr
    assert "Traceback" not in result.stderr


def test_seed_migrates_the_database_first(tmp_path: Path) -> None:
    seeded = manage(tmp_path, "seed", "--posts", "3")
    assert seeded.returncode == 0, seeded.stderr
    assert "17 posts written" in seeded.stdout
