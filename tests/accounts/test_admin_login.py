"""The throttle of the login form of the admin site, which shares its counters with the API."""

from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts.login_throttle import FREE_PER_ACCOUNT
from accounts.models import User
from tests.accounts.throttled_logins import FREE, OTHER, OWNERS, api_at, assert_limited, log_in
from tests.factories import PASSWORD, make_admin

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("cheap_hashes")]


class TestTheAdminSite:
    """The login form of the admin site, with the counters of `POST /auth/login`."""

    @pytest.fixture
    def ada(self) -> User:
        return make_admin(username="ada", password=PASSWORD)

    def form_at(self, address: str, password: str, username: str = "ada") -> Any:
        client = Client(REMOTE_ADDR=address)
        return client.post("/admin/login/", {"username": username, "password": password})

    def test_the_page_says_to_wait_after_the_free_failures(self, clock: time_machine.Traveller, ada: User) -> None:
        for _ in range(FREE):
            assert "Please enter the correct" in self.form_at(OTHER, "wrong").content.decode()
        for password in ("wrong", PASSWORD):
            answer = self.form_at(OTHER, password)
            page = answer.content.decode()
            assert "try again in 1 second" in page.lower()
            assert "Please enter the correct" not in page
            assert "sessionid" not in answer.cookies
        clock.shift(1)
        assert self.form_at(OTHER, PASSWORD).status_code == 302

    def test_another_address_can_log_in(self, ada: User) -> None:
        for _ in range(20 * FREE):
            self.form_at(OTHER, "wrong")
        assert self.form_at(OWNERS, PASSWORD).status_code == 302

    def test_failures_in_the_api_and_the_admin_site_add_up(self, clock: time_machine.Traveller, ada: User) -> None:
        for _ in range(FREE // 2):
            self.form_at(OTHER, "wrong")
            log_in(api_at(OTHER), "wrong", "ada")
        assert_limited(log_in(api_at(OTHER), PASSWORD, "ada"), 1)
        assert "try again in 1 second" in self.form_at(OTHER, PASSWORD).content.decode().lower()

    def test_failures_from_many_addresses_make_the_account_wait(self, clock: time_machine.Traveller, ada: User) -> None:
        for number in range(FREE_PER_ACCOUNT):
            log_in(api_at(f"203.0.113.{number}"), "wrong", "ada")
        assert "try again in 1 second" in self.form_at(OWNERS, PASSWORD).content.decode().lower()
        clock.shift(1)
        assert self.form_at(OWNERS, PASSWORD).status_code == 302

    def test_a_correct_password_is_not_counted(self, ada: User) -> None:
        assert {self.form_at(OWNERS, PASSWORD).status_code for _ in range(2 * FREE)} == {302}

    def test_readers_with_a_right_password_count_as_failures(self, owner: User) -> None:
        for _ in range(FREE):
            assert "Please enter the correct" in self.form_at(OTHER, PASSWORD, "ines").content.decode()
        assert "try again in" in self.form_at(OTHER, PASSWORD, "ines").content.decode().lower()

    def test_an_empty_form_does_not_count(self, ada: User) -> None:
        for _ in range(2 * FREE):
            assert self.form_at(OTHER, "", "").status_code == 200
        assert self.form_at(OTHER, PASSWORD).status_code == 302
