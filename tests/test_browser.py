"""The admin site and the API's documentation, in a real browser against a real server."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, sync_playwright

from tests.images import image_bytes
from tests.server import PASSWORD, Server, manage, serving

CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("browser")
    assert manage(folder, "migrate", "-v0").returncode == 0
    assert manage(folder, "seed", "--password", PASSWORD).returncode == 0
    with serving(folder, "--no-migrate") as running:
        yield running


@pytest.fixture
def page(server: Server) -> Iterator[Page]:
    """A page that may load only what `server` serves. The test fails if the console shows an error."""
    errors: list[str] = []
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        tab = browser.new_page(base_url=server.url)
        tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)

        def refuse(route: Route) -> None:
            errors.append(f"requested {route.request.url}")
            route.abort()

        tab.route(re.compile(rf"^(?!{server.url}/|data:)"), refuse)
        yield tab
        browser.close()
    assert errors == []


def log_in(page: Page, username: str) -> None:
    page.goto("/admin/")
    page.fill("#id_username", username)
    page.fill("#id_password", PASSWORD)
    page.click("input[type=submit]")


def save(page: Page) -> None:
    with page.expect_navigation():
        page.click("text=Save and continue editing")


def test_author_writes_and_publishes_a_post(page: Page) -> None:
    log_in(page, "author")
    page.goto("/admin/posts/post/")
    page.click('.object-tools a:has-text("Add post")')
    page.wait_for_selector("#id_title:focus")  # a script of the admin site moves the focus there
    page.fill("#id_title", "Written by hand")
    page.fill("#id_content", "In a *browser*.")
    page.fill("#id_tags", "Hands, browsers , hands")
    page.check("#id_published")
    save(page)
    assert page.input_value("#id_slug") == "written-by-hand"
    assert page.input_value("#id_tags") == "hands, browsers"
    read = page.request.get("/api/v1/posts/by-slug/written-by-hand").json()
    assert (read["status"], read["content_html"]) == ("published", "<p>In a <em>browser</em>.</p>\n")


def test_form_keeps_its_input_when_the_slug_is_taken(page: Page) -> None:
    log_in(page, "author")
    page.goto("/admin/posts/post/add/")
    page.fill("#id_title", "Another welcome")
    page.fill("#id_slug", "welcome")
    page.fill("#id_content", "A long text that must not be lost.")
    save(page)
    assert page.inner_text(".errorlist") == "Another post has this slug."
    assert page.input_value("#id_content") == "A long text that must not be lost."


def test_reader_cannot_log_in_to_the_admin_site(page: Page) -> None:
    log_in(page, "reader")
    assert "correct username and password for a staff account" in page.inner_text(".errornote")


def test_admin_searches_users(page: Page) -> None:
    log_in(page, "admin")
    page.goto("/admin/accounts/user/?q=ines")
    assert page.inner_text("#result_list tbody").split()[0] == "author"


def test_admin_ends_sessions_by_button_and_the_enter_key_ends_none(page: Page) -> None:
    credentials = {"username": "author", "password": PASSWORD}
    tokens = [page.request.post("/api/v1/auth/login", data=credentials).json()["access_token"] for _ in range(2)]

    def open_sessions() -> list[bool]:
        headers = [{"Authorization": f"Bearer {token}"} for token in tokens]
        return [page.request.get("/api/v1/users/me", headers=sent).ok for sent in headers]

    log_in(page, "admin")
    page.goto("/admin/accounts/user/?q=author@example.com")
    page.click("#result_list tbody th a")
    with page.expect_navigation():
        page.press("#id_full_name", "Enter")
    assert open_sessions() == [True, True]
    page.goto("/admin/accounts/user/?q=author@example.com")
    page.click("#result_list tbody th a")
    page.click(".field-open_sessions p:first-child button")
    assert "Ended 1 session of author." in page.inner_text(".messagelist")
    assert sorted(open_sessions()) == [False, True]
    page.click("text=End all sessions")
    assert open_sessions() == [False, False]


def test_api_documentation_works_without_other_servers(page: Page) -> None:
    page.goto("/api/v1/docs")
    page.wait_for_selector("text=List posts")
    page.click("text=List posts")
    page.click("text=Try it out")
    page.click("text=Execute")
    page.wait_for_selector(".live-responses-table .response-col_status:has-text('200')")


def test_author_uploads_an_image_and_chooses_it_as_cover(page: Page, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(image_bytes("JPEG", (640, 480)))
    log_in(page, "author")
    page.goto("/admin/posts/media/add/")
    page.set_input_files("#id_file", photo)
    page.fill("#id_alt_text", "A red field")
    save(page)
    shown = page.locator(".field-image img")
    assert shown.get_attribute("alt") == "A red field"
    assert shown.evaluate("image => image.naturalWidth") == 320
    page.goto("/admin/posts/post/add/")
    page.fill("#id_title", "With a cover")
    with page.expect_popup() as popup:
        page.click("#lookup_id_cover_image")
    popup.value.click("text=A red field")
    page.wait_for_function("document.querySelector('#id_cover_image').value != ''")
    save(page)
    assert page.locator(".field-cover img").evaluate("image => image.naturalWidth") == 320
