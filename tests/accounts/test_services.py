"""The services of users: each is atomic, and the last admin remains."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.admin.models import LogEntry
from django.db.models import Model
from django.db.models.signals import pre_delete

from accounts import services
from accounts.credentials import sessions
from accounts.models import Role, User
from blogsite.errors import (
    EmailTaken,
    Invalid,
    LastAdmin,
    NotFound,
    RegistrationClosed,
    UserHasPosts,
    UsernameTaken,
)
from posts.models import Post
from tests.factories import PASSWORD, make_admin, make_author, make_draft, make_editor, make_post, make_user

pytestmark = pytest.mark.django_db

register_user = async_to_sync(services.register_user)
NOBODY = 2**40


class Interrupted(Exception):
    """An error that interrupts a service."""


@contextmanager
def deletion_fails(model: type[Model]) -> Iterator[None]:
    def interrupt(**signal: Any) -> None:
        raise Interrupted

    pre_delete.connect(interrupt, sender=model)
    try:
        yield
    finally:
        pre_delete.disconnect(interrupt, sender=model)


def test_registration_creates_an_active_reader_with_a_hashed_password() -> None:
    user = register_user(username="ines", email="ines@example.com", password=PASSWORD)
    user.refresh_from_db()
    assert (user.username, user.email, user.role, user.is_active) == ("ines", "ines@example.com", Role.READER, True)
    assert user.password.startswith("argon2$argon2id$")
    assert user.check_password(PASSWORD)


def test_nobody_registers_while_registration_is_closed(settings: Any) -> None:
    settings.BLOG_REGISTRATION_OPEN = False
    with pytest.raises(RegistrationClosed):
        register_user(username="ines", email="ines@example.com", password=PASSWORD)
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("clash", "error"),
    [
        ({"username": "INES"}, UsernameTaken),
        ({"email": "INES@example.COM"}, EmailTaken),
        ({"username": "ines", "email": "ines@example.com"}, (UsernameTaken, EmailTaken)),
    ],
)
def test_a_taken_name_or_address_stores_nothing(clash: dict[str, str], error: Any) -> None:
    make_user(username="Ines", email="Ines@example.com")
    other = make_user(username="other", email="other@example.com", full_name="Before")
    with pytest.raises(error):
        services.create_user(password_hash="!", **{"username": "new", "email": "new@example.com", **clash})
    with pytest.raises(error):
        services.update_user(user_id=other.pk, changes={"full_name": "After", **clash})
    other.refresh_from_db()
    assert (other.username, other.email, other.full_name) == ("other", "other@example.com", "Before")
    assert User.objects.count() == 2


def test_users_may_change_the_case_of_their_own_name_and_address() -> None:
    user = make_user(username="ines", email="ines@example.com")
    services.update_user(user_id=user.pk, changes={"username": "Ines", "email": "Ines@example.com"})
    user.refresh_from_db()
    assert (user.username, user.email) == ("Ines", "Ines@example.com")


def test_an_update_writes_no_other_field() -> None:
    user = make_user(full_name="Before", bio="Before")
    stale = User.objects.get(pk=user.pk)
    services.update_user(user_id=user.pk, changes={"full_name": "After"})
    services.update_user(user_id=stale.pk, changes={"bio": "After"})
    user.refresh_from_db()
    assert (user.full_name, user.bio) == ("After", "After")


def test_an_update_without_changes_returns_the_user() -> None:
    user = make_user(full_name="Ines")
    assert services.update_user(user_id=user.pk, changes={}).full_name == "Ines"


def test_an_unknown_user_is_not_found() -> None:
    with pytest.raises(NotFound):
        services.update_user(user_id=NOBODY, changes={"bio": "x"})
    with pytest.raises(NotFound):
        services.delete_user(user_id=NOBODY)


@pytest.mark.parametrize("changes", [{"role": "editor"}, {"is_active": False}, {"role": "reader", "bio": "Retired"}])
def test_the_last_active_admin_can_be_neither_demoted_nor_deactivated(changes: dict[str, Any]) -> None:
    admin = make_admin()
    make_admin(is_active=False)
    make_editor()
    with pytest.raises(LastAdmin):
        services.update_user(user_id=admin.pk, changes=changes)
    admin.refresh_from_db()
    assert (admin.role, admin.is_active, admin.bio) == (Role.ADMIN, True, "")


def test_the_last_active_admin_cannot_be_deleted() -> None:
    admin, editor = make_admin(), make_editor()
    make_admin(is_active=False)
    for new_owner in (None, editor.pk):
        with pytest.raises(LastAdmin):
            services.delete_user(user_id=admin.pk, reassign_to=new_owner)
    assert User.objects.filter(pk=admin.pk).exists()


def test_the_last_active_admin_may_change_everything_else() -> None:
    admin = make_admin()
    services.update_user(user_id=admin.pk, changes={"username": "root", "role": "admin", "is_active": True})
    admin.refresh_from_db()
    assert admin.username == "root"


def test_one_of_two_admins_can_be_deleted() -> None:
    first, second, former = make_admin(), make_admin(), make_admin(is_active=False)
    services.update_user(user_id=former.pk, changes={"role": "reader"})
    services.delete_user(user_id=first.pk)
    with pytest.raises(LastAdmin):
        services.delete_user(user_id=second.pk)
    assert set(User.objects.all()) == {second, former}


def test_a_user_with_posts_is_deleted_only_if_they_are_reassigned() -> None:
    author, new_owner = make_author(), make_author()
    post, draft, others = make_post(author=author), make_draft(author=author), make_post()
    with pytest.raises(UserHasPosts):
        services.delete_user(user_id=author.pk)
    assert set(author.posts.all()) == {post, draft}
    services.delete_user(user_id=author.pk, reassign_to=new_owner.pk)
    assert set(new_owner.posts.all()) == {post, draft}
    assert not User.objects.filter(pk=author.pk).exists()
    others.refresh_from_db()
    assert others.author != new_owner


@pytest.mark.parametrize("case", ["reader", "inactive", "nobody", "themselves"])
def test_posts_go_only_to_another_active_user_who_may_write(case: str) -> None:
    author = make_author()
    post = make_post(author=author)
    new_owner = {
        "reader": lambda: make_user().pk,
        "inactive": lambda: make_author(is_active=False).pk,
        "nobody": lambda: NOBODY,
        "themselves": lambda: author.pk,
    }[case]()
    with pytest.raises(Invalid) as refusal:
        services.delete_user(user_id=author.pk, reassign_to=new_owner)
    assert [error.pointer for error in refusal.value.errors] == ["#/query/reassign_to"]
    post.refresh_from_db()
    assert post.author == author


def test_a_failed_deletion_reassigns_no_posts() -> None:
    author, new_owner = make_author(), make_author()
    post = make_post(author=author)
    with deletion_fails(User), pytest.raises(Interrupted):
        services.delete_user(user_id=author.pk, reassign_to=new_owner.pk)
    assert Post.objects.get(pk=post.pk).author == author
    assert User.objects.filter(pk=author.pk).exists()


def test_a_change_of_rights_by_an_admin_is_logged() -> None:
    admin, reader = make_admin(), make_user(username="ines")
    services.update_user(user_id=reader.pk, changes={"role": "author", "is_active": False}, actor=admin)
    entries = LogEntry.objects.order_by("pk")
    assert [entry.change_message for entry in entries] == ["Changed the role from reader to author.", "Deactivated."]
    assert {(entry.user, entry.get_edited_object(), entry.object_repr) for entry in entries} == {
        (admin, reader, "ines")
    }


def test_other_changes_are_not_logged() -> None:
    admin, reader = make_admin(), make_user()
    services.update_user(user_id=reader.pk, changes={"role": "reader", "is_active": True, "bio": "x"}, actor=admin)
    services.update_user(user_id=reader.pk, changes={"role": "author"})
    assert not LogEntry.objects.exists()


def test_deactivation_ends_sessions_unless_it_is_refused() -> None:
    admin, reader = make_admin(), make_user()
    for user in (admin, reader, reader):
        sessions.start(user)
    services.update_user(user_id=reader.pk, changes={"is_active": False})
    with pytest.raises(LastAdmin):
        services.update_user(user_id=admin.pk, changes={"is_active": False})
    assert not reader.sessions.exists()
    assert admin.sessions.exists()
