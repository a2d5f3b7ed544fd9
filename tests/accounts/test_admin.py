"""Users in the admin site."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from accounts.credentials import api_tokens, sessions
from accounts.models import User
from tests.accounts.admin_pages import LIST, form, page
from tests.factories import PASSWORD, make_admin, make_author, make_draft, make_editor, make_user

ADD = "/admin/accounts/user/add/"


def new_user(**changes: Any) -> dict[str, Any]:
    fields = {"username": "ines", "email": "ines@example.com", "full_name": "Ines Moreau", "role": "author"}
    return {**fields, "password1": PASSWORD, "password2": PASSWORD, **changes}


def errors(response: Any) -> dict[str, list[str]]:
    assert response.status_code == 200
    return dict(response.context["adminform"].form.errors)


def messages(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


@pytest.mark.parametrize(
    "login", ["ada", "ADA", "ada@example.com", "ADA@Example.com", "a.long.address.of.ada@example.com"]
)
def test_staff_log_in_by_name_or_address_in_any_case_of_letters(client: Client, db: None, login: str) -> None:
    make_author(username="ada", email=login if "long" in login else "ada@example.com", password=PASSWORD)
    response = client.post("/admin/login/", {"username": login, "password": PASSWORD})
    assert response.status_code == 302
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize(
    "user",
    [{}, {"role": "author", "is_active": False}, {"role": "admin", "is_active": False}],
    ids=["reader", "inactive author", "inactive admin"],
)
def test_readers_and_inactive_staff_cannot_log_in(client: Client, db: None, user: dict[str, Any]) -> None:
    make_user(username="ines", password=PASSWORD, **user)
    assert client.post("/admin/login/", {"username": "ines", "password": PASSWORD}).status_code == 200
    assert client.get("/admin/").status_code == 302
    client.force_login(make_user())
    for path in ("/admin/", LIST, ADD, "/admin/posts/post/"):
        assert client.get(path).status_code == 302


def test_a_wrong_password_does_not_log_in(client: Client, admin: User) -> None:
    assert client.post("/admin/login/", {"username": "ada", "password": "wrong"}).status_code == 200
    assert client.get("/admin/").status_code == 302


@pytest.mark.parametrize("path", [LIST, ADD, "change", "password", "delete", "history"])
def test_only_admins_see_and_change_users(client: Client, admin: User, path: str) -> None:
    for staff in (make_author(), make_editor()):
        client.force_login(staff)
        assert client.get(path if path.startswith("/") else page(staff, path)).status_code == 403
        assert (
            client.post(path if path.startswith("/") else page(staff, path), form(staff, role="admin")).status_code
            == 403
        )
        staff.refresh_from_db()
        assert not staff.is_admin


def test_a_demoted_admin_is_stopped_on_the_next_page(pages: Client, admin: User) -> None:
    make_admin()
    assert pages.get(LIST).status_code == 200
    User.objects.filter(pk=admin.pk).update(role="editor")
    assert pages.get(LIST).status_code == 403
    User.objects.filter(pk=admin.pk).update(is_active=False)
    assert pages.get("/admin/").status_code == 302


def test_an_admin_finds_users(pages: Client) -> None:
    make_user(username="ines", full_name="I. Moreau")
    make_user(username="tomas", is_active=False)
    assert pages.get(LIST).status_code == 200
    for query in ({"q": "MOREAU"}, {"role__exact": "reader", "is_active__exact": "1"}):
        found = pages.get(LIST, query).context["cl"].queryset
        assert [user.username for user in found] == ["ines"]


def test_an_admin_creates_a_user(pages: Client) -> None:
    assert pages.get(ADD).status_code == 200
    response = pages.post(ADD, new_user())
    ines = User.objects.get(username="ines")
    assert response["Location"] == page(ines)
    assert (ines.email, ines.full_name, ines.role, ines.is_active) == (
        "ines@example.com",
        "Ines Moreau",
        "author",
        True,
    )
    assert ines.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert ines.check_password(PASSWORD)
    assert LogEntry.objects.get().object_id == str(ines.pk)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"username": "ADA"}, "username"),
        ({"email": "ADA@example.com"}, "__all__"),
        ({"username": "a b"}, "username"),
        ({"username": "ab"}, "username"),
        ({"username": "ines@example.com"}, "username"),
        ({"username": "ïnès"}, "username"),
        ({"username": ""}, "username"),
        ({"email": "x"}, "email"),
        ({"role": "owner"}, "role"),
        ({"password2": "another-river-lantern"}, "password2"),
        ({"password1": "password123", "password2": "password123"}, "password2"),
        ({"password1": "", "password2": ""}, "password1"),
    ],
)
def test_a_bad_new_user_is_shown_on_the_form_with_what_was_typed(pages: Client, changes: Any, field: str) -> None:
    response = pages.post(ADD, new_user(full_name="As typed", **changes))
    assert field in errors(response)
    assert 'value="As typed"' in response.content.decode()
    assert PASSWORD not in response.content.decode()
    assert User.objects.count() == 1


@pytest.mark.parametrize("changes", [{"email": "ines@exämple.com"}, {"bio": "b" * 2001}])
def test_the_admin_site_is_as_strict_as_the_api(pages: Client, changes: dict[str, str]) -> None:
    reader = make_user()
    assert set(errors(pages.post(page(reader), form(reader, **changes)))) == set(changes)


def test_an_admin_changes_a_user(pages: Client) -> None:
    reader = make_user(full_name="Before", password=PASSWORD)
    changes = {"username": "ines", "email": "ines@example.com", "full_name": "After", "bio": "Bakes.", "role": "editor"}
    response = pages.post(page(reader), form(reader, **changes))
    assert response["Location"] == LIST
    reader.refresh_from_db()
    assert {name: getattr(reader, name) for name in changes} == changes
    assert (reader.is_active, reader.check_password(PASSWORD)) == (True, True)


def test_an_admin_deactivates_a_user(pages: Client) -> None:
    reader = make_user()
    pages.post(page(reader), form(reader, is_active=None))
    reader.refresh_from_db()
    assert not reader.is_active


@pytest.mark.parametrize(("field", "value"), [("username", "ADA"), ("email", "Ada@Example.com")])
def test_a_taken_name_or_address_is_shown_on_the_form(pages: Client, field: str, value: str) -> None:
    reader = make_user(full_name="Before")
    response = pages.post(page(reader), form(reader, full_name="As typed", **{field: value}))
    assert "taken" in str(errors(response))
    assert 'value="As typed"' in response.content.decode()
    reader.refresh_from_db()
    assert reader.full_name == "Before"


@pytest.mark.parametrize("changes", [{"role": "editor"}, {"is_active": None}])
def test_the_last_admin_is_refused_on_the_form_with_what_was_typed(
    pages: Client, admin: User, changes: dict[str, Any]
) -> None:
    make_admin(is_active=False)
    response = pages.post(page(admin), form(admin, full_name="As typed", **changes))
    assert "last active admin" in str(errors(response)["__all__"])
    assert 'value="As typed"' in response.content.decode()
    admin.refresh_from_db()
    assert (admin.role, admin.is_active, admin.full_name) == ("admin", True, "")
    assert not LogEntry.objects.exists()


def test_no_page_of_a_user_shows_a_hash_or_a_token(pages: Client) -> None:
    reader = make_user(password=PASSWORD)
    pair = sessions.refresh(sessions.start(reader).refresh_token)
    session = reader.sessions.get()
    api_token, text = api_tokens.create_api_token(user=reader, name="Build", scope="read")
    pages.post(page(reader), form(reader, role="author"))
    secrets = {
        "argon2",
        reader.password.rpartition("$")[2],
        *pair.refresh_token.split("."),
        session.token_hash,
        session.previous_hash,
        api_token.token_hash,
        text,
    }
    for path in (LIST, page(reader), page(reader, "password"), page(reader, "history"), page(reader, "delete")):
        response = pages.get(path)
        assert response.status_code == 200
        assert [secret for secret in secrets if secret in response.content.decode()] == []


def test_a_password_can_be_set_from_the_page_of_a_user(pages: Client) -> None:
    reader = make_user(password=PASSWORD)
    assert page(reader, "password") in pages.get(page(reader)).content.decode()
    passwords = {"password1": "another-river-lantern", "password2": "another-river-lantern", "usable_password": "true"}
    assert pages.post(page(reader, "password"), passwords).status_code == 302
    reader.refresh_from_db()
    assert reader.check_password("another-river-lantern")
    assert reader.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


def test_a_weak_new_password_is_refused(pages: Client) -> None:
    reader = make_user(password=PASSWORD)
    passwords = {"password1": "password123", "password2": "password123", "usable_password": "true"}
    assert pages.post(page(reader, "password"), passwords).status_code == 200
    reader.refresh_from_db()
    assert reader.check_password(PASSWORD)


@pytest.mark.parametrize(
    ("before", "changes", "noted"),
    [
        ({"role": "reader"}, {"role": "editor"}, ["Changed the role from reader to editor."]),
        ({"is_active": True}, {"is_active": None}, ["Deactivated."]),
        ({"is_active": False}, {"is_active": "on"}, ["Activated."]),
        (
            {"role": "admin"},
            {"role": "author", "is_active": None},
            ["Changed the role from admin to author.", "Deactivated."],
        ),
        ({"role": "author"}, {"full_name": "Ines"}, []),
    ],
)
def test_a_change_of_rights_is_logged_with_old_and_new_values(
    pages: Client, admin: User, before: dict[str, Any], changes: dict[str, Any], noted: list[str]
) -> None:
    reader = make_user(username="ines", **before)
    assert pages.post(page(reader), form(reader, **changes)).status_code == 302
    entries = LogEntry.objects.exclude(change_message__startswith="[").order_by("pk")
    assert [entry.change_message for entry in entries] == noted
    for entry in entries:
        assert (entry.user, entry.object_id, entry.object_repr) == (admin, str(reader.pk), "ines")
        assert entry.get_edited_object() == reader
        assert entry.change_message in pages.get(page(reader, "history")).content.decode()


def test_an_admin_deletes_a_user(pages: Client) -> None:
    reader = make_user()
    assert pages.get(page(reader, "delete")).status_code == 200
    assert pages.post(page(reader, "delete"), {"post": "yes"})["Location"] == LIST
    assert not User.objects.filter(pk=reader.pk).exists()


def test_a_user_with_posts_is_not_deleted(pages: Client) -> None:
    author = make_author()
    draft = make_draft(author=author, title="In the way")
    response = pages.post(page(author, "delete"), {"post": "yes"}, follow=True)
    assert "In the way" in response.content.decode()
    draft.refresh_from_db()
    assert draft.author == author


def test_the_last_admin_is_not_deleted(pages: Client, admin: User) -> None:
    response = pages.post(page(admin, "delete"), {"post": "yes"}, follow=True)
    assert messages(response) == ["The last active admin must remain."]
    assert User.objects.filter(pk=admin.pk).exists()
    assert not LogEntry.objects.exists()


def delete_selected(pages: Client, *users: User) -> Any:
    chosen = [user.pk for user in users]
    return pages.post(LIST, {"action": "delete_selected", "_selected_action": chosen, "post": "yes"}, follow=True)


def test_the_selected_users_are_deleted(pages: Client, admin: User) -> None:
    delete_selected(pages, make_user(), make_user())
    assert User.objects.get() == admin


def test_nothing_is_deleted_if_the_last_admin_is_selected(pages: Client, admin: User) -> None:
    reader = make_user()
    response = delete_selected(pages, reader, admin)
    assert any("last active admin" in message for message in messages(response))
    assert set(User.objects.all()) == {reader, admin}


def test_a_refused_deletion_is_not_reported_as_done(pages: Client, admin: User) -> None:
    response = delete_selected(pages, admin)
    assert not any("Successfully" in message for message in messages(response))
    assert not LogEntry.objects.exists()
