"""The sessions of a user in the admin site."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.test import Client

from accounts.credentials import sessions
from accounts.models import Session, User
from tests.accounts.admin_pages import LIST, form, page
from tests.factories import make_author, make_editor, make_user


def messages(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def ending(user: User) -> str:
    return f"{LIST}{user.pk}/end-sessions/"


class TestSessions:
    def test_the_page_of_a_user_shows_their_sessions(self, pages: Client) -> None:
        reader = make_user()
        assert "None." in pages.get(page(reader)).content.decode()
        with time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False) as clock:
            sessions.start(reader, user_agent="Long ago")
            clock.shift(timedelta(days=7))
            pair = sessions.start(reader, user_agent="Curious/1.0", address="192.0.2.7")
            sessions.start(reader)
            sessions.start(make_user(), user_agent="Somebody else's")
            clock.shift(60)
            sessions.refresh(pair.refresh_token, user_agent="<script>alert(1)</script>", address="192.0.2.8")
            shown = pages.get(page(reader)).content.decode()
        assert "2026-02-07 12:00 to 2026-02-07 12:01, 192.0.2.8, &lt;script&gt;" in shown
        assert "2026-02-07 12:00 to 2026-02-07 12:00, unknown address, unknown client" in shown
        assert "<script>alert" not in shown
        assert "Long ago" not in shown
        assert "Somebody else" not in shown
        assert shown.count(f'formaction="{ending(reader)}"') == 3

    def test_an_admin_ends_one_session(self, pages: Client, admin: User) -> None:
        reader = make_user(username="ines")
        for _ in range(2):
            sessions.start(reader)
        ended, kept = reader.sessions.order_by("pk")
        response = pages.post(ending(reader), {**form(reader), "session": ended.pk}, follow=True)
        assert response.redirect_chain == [(page(reader), 302)]
        assert messages(response) == ["Ended 1 session of ines."]
        assert reader.sessions.get() == kept
        entry = LogEntry.objects.get()
        assert (entry.user, entry.object_id, entry.change_message) == (
            admin,
            str(reader.pk),
            "Ended 1 session of ines.",
        )

    def test_an_admin_ends_all_sessions(self, pages: Client) -> None:
        reader, other = make_user(username="ines"), make_user()
        for user in (reader, reader, other):
            sessions.start(user)
        response = pages.post(ending(reader), {"session": ""}, follow=True)
        assert messages(response) == ["Ended 2 sessions of ines."]
        assert Session.objects.get().user == other

    def test_the_session_of_another_user_is_not_ended(self, pages: Client) -> None:
        reader, other = make_user(username="ines"), make_user()
        sessions.start(other)
        response = pages.post(ending(reader), {"session": other.sessions.get().pk}, follow=True)
        assert messages(response) == ["Ended 0 sessions of ines."]
        assert other.sessions.exists()

    @pytest.mark.parametrize("chosen", ["x", "-1", "1 or 1", "1.5"])
    def test_an_invalid_session_id_ends_no_session(self, pages: Client, chosen: str) -> None:
        reader = make_user()
        sessions.start(reader)
        assert pages.post(ending(reader), {"session": chosen}).status_code == 403
        assert reader.sessions.exists()

    def test_an_unknown_user_is_403(self, pages: Client, admin: User) -> None:
        assert pages.post(f"{LIST}999999/end-sessions/").status_code == 403

    def test_a_get_request_ends_no_session(self, pages: Client) -> None:
        reader = make_user()
        sessions.start(reader)
        assert pages.get(ending(reader), {"session": ""}).status_code == 405
        assert reader.sessions.exists()

    def test_a_request_without_a_csrf_token_ends_no_session(self, admin: User) -> None:
        reader = make_user()
        sessions.start(reader)
        client = Client(enforce_csrf_checks=True)
        client.force_login(admin)
        assert client.post(ending(reader)).status_code == 403
        client.get(page(reader))
        token = client.cookies["csrftoken"].value
        assert reader.sessions.exists()
        assert client.post(ending(reader), {"csrfmiddlewaretoken": token}).status_code == 302
        assert not reader.sessions.exists()

    def test_only_admins_end_sessions(self, client: Client, admin: User) -> None:
        sessions.start(admin)
        for staff in (make_author(), make_editor()):
            client.force_login(staff)
            assert client.post(ending(admin)).status_code == 403
            assert client.post(ending(staff)).status_code == 403
        for stranger in (Client(), client):
            client.force_login(make_user())
            assert stranger.post(ending(admin)).status_code == 302
        assert admin.sessions.exists()

    def test_changing_a_user_ends_no_session(self, pages: Client) -> None:
        reader = make_user()
        sessions.start(reader)
        assert pages.post(page(reader), form(reader, full_name="Ines", role="author")).status_code == 302
        assert reader.sessions.exists()

    def test_deactivation_ends_sessions_unless_it_is_refused(self, pages: Client, admin: User) -> None:
        reader = make_user()
        for user in (reader, admin):
            sessions.start(user)
            pages.post(page(user), form(user, is_active=None))
        assert not reader.sessions.exists()
        assert admin.sessions.exists()
