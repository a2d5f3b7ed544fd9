"""`/users`: admins manage accounts."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from tests.client import Api, assert_problem
from tests.factories import PASSWORD, make_admin, make_author, make_draft, make_editor, make_post, make_user

NEW = {"username": "ines", "email": "ines@example.com", "password": PASSWORD}


@pytest.fixture
def admin() -> User:
    return make_admin(username="admin", email="admin@example.com")


@pytest.fixture
def admins_api(api: Api, admin: User) -> Api:
    return api.acting_as(admin)


def usernames(response: Any) -> list[str]:
    return [account["username"] for account in response.json()["items"]]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/users"),
        ("POST", "/users"),
        ("GET", "/users/1"),
        ("PATCH", "/users/1"),
        ("DELETE", "/users/1"),
        ("GET", "/users/by-username/ines"),
    ],
)
def test_only_admins_manage_accounts(api: Api, method: str, path: str) -> None:
    for user in (make_user(), make_author(), make_editor()):
        assert_problem(api.acting_as(user).send(method, path, {}), 403, "forbidden")
    assert_problem(api.send(method, path, {}), 401, "unauthenticated")


def test_an_admin_creates_an_account_with_any_role(admins_api: Api) -> None:
    fields = {"full_name": "Ines", "bio": "Bakes.", "role": "editor", "is_active": False}
    response = admins_api.post("/users", {**NEW, **fields})
    assert response.status_code == 201
    user = User.objects.get(username="ines")
    account = response.json()
    assert {name: account[name] for name in fields} == fields
    assert (account["id"], user.role, user.is_active) == (user.pk, "editor", False)
    assert user.check_password(PASSWORD)
    assert "password" not in account


def test_a_new_account_is_an_active_reader_by_default(admins_api: Api) -> None:
    account = admins_api.post("/users", NEW).json()
    assert (account["role"], account["is_active"], account["bio"], account["full_name"]) == ("reader", True, "", "")


@pytest.mark.parametrize(
    ("taken", "code"),
    [
        ({"username": "INES"}, "username_taken"),
        ({"email": "Ines@Example.Com"}, "email_taken"),
    ],
)
def test_a_taken_name_or_address_is_a_conflict_and_stores_nothing(
    admins_api: Api, taken: dict[str, str], code: str
) -> None:
    make_user(**{"username": "first", "email": "first@example.com", **taken})
    other = make_user(username="other", email="other@example.com", bio="Before")
    assert_problem(admins_api.post("/users", NEW), 409, code)
    change = {name: NEW[name] for name in taken}
    assert_problem(admins_api.patch(f"/users/{other.pk}", {"bio": "After", **change}), 409, code)
    other.refresh_from_db()
    assert (other.username, other.email, other.bio) == ("other", "other@example.com", "Before")
    assert User.objects.count() == 3


def test_an_account_is_read_by_id_and_by_name_in_any_letter_case(admins_api: Api) -> None:
    reader = make_user(username="Ines")
    by_id = admins_api.get(f"/users/{reader.pk}")
    assert by_id.json()["id"] == reader.pk
    for name in ("Ines", "ines", "INES"):
        assert admins_api.get(f"/users/by-username/{name}").content == by_id.content


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_unknown_user_is_404(admins_api: Api, method: str) -> None:
    assert_problem(admins_api.send(method, f"/users/{2**63 - 1}", {}), 404, "not_found")
    assert_problem(admins_api.get("/users/by-username/nobody"), 404, "not_found")


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("user_id", [0, 2**63, 10**30])
def test_an_id_that_no_row_can_have_is_refused(admins_api: Api, method: str, user_id: int) -> None:
    response = admins_api.send(method, f"/users/{user_id}", {})
    assert_problem(response, 422, "validation_error", "#/path/user_id")


@pytest.mark.parametrize("name", ["ab", "a" * 31, "in%C3%A8s", "a%00b"])
def test_an_invalid_name_is_refused(admins_api: Api, name: str) -> None:
    assert_problem(admins_api.get(f"/users/by-username/{name}"), 422, "validation_error", "#/path/username")


def test_absent_fields_keep_their_values(admins_api: Api) -> None:
    reader = make_user(username="ines", full_name="Ines", bio="Bakes.")
    answer = admins_api.patch(f"/users/{reader.pk}", {"role": "author", "email": "new@example.com"}).json()
    assert (answer["role"], answer["email"]) == ("author", "new@example.com")
    assert (answer["username"], answer["full_name"], answer["bio"]) == ("ines", "Ines", "Bakes.")
    assert admins_api.get(f"/users/{reader.pk}").json() == answer


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        *(({name: None}, f"#/{name}") for name in ("username", "email", "full_name", "bio", "role", "is_active")),
        ({"role": "owner"}, "#/role"),
        ({"role": 1}, "#/role"),
        ({"is_active": "yes"}, "#/is_active"),
        ({"is_active": 1}, "#/is_active"),
        ({"username": "a b"}, "#/username"),
        ({"email": "x"}, "#/email"),
        ({"bio": "b" * 2001}, "#/bio"),
        ({"is_staff": True}, "#/is_staff"),
        ({"password_hash": "!"}, "#/password_hash"),
        ({"id": 1}, "#/id"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_an_invalid_field_is_named_and_nothing_is_stored(admins_api: Api, fields: dict[str, Any], pointer: str) -> None:
    reader = make_user(bio="Before")
    response = admins_api.patch(f"/users/{reader.pk}", {"bio": "After", **fields})
    assert_problem(response, 422, "validation_error", pointer)
    reader.refresh_from_db()
    assert (reader.bio, reader.role, reader.is_active) == ("Before", "reader", True)
    assert_problem(admins_api.post("/users", {**NEW, **fields}), 422, "validation_error", pointer)
    assert not User.objects.filter(email=NEW["email"]).exists()


def test_a_weak_password_creates_no_account(admins_api: Api) -> None:
    response = admins_api.post("/users", {**NEW, "password": "password123"})
    assert_problem(response, 422, "validation_error", "#/password")


def test_a_password_cannot_be_set_by_a_change(admins_api: Api) -> None:
    reader = make_user(password=PASSWORD)
    response = admins_api.patch(f"/users/{reader.pk}", {"password": "another-river-lantern"})
    assert_problem(response, 422, "validation_error", "#/password")
    reader.refresh_from_db()
    assert reader.check_password(PASSWORD)


def test_an_absent_body_changes_nothing(admins_api: Api) -> None:
    assert admins_api.send("PATCH", f"/users/{make_user().pk}").status_code == 200


@pytest.mark.parametrize("change", [{"role": "editor"}, {"is_active": False}])
def test_the_last_admin_stays_an_active_admin(admins_api: Api, admin: User, change: dict[str, Any]) -> None:
    make_admin(is_active=False)
    assert_problem(admins_api.patch(f"/users/{admin.pk}", change), 409, "last_admin")
    assert_problem(admins_api.delete(f"/users/{admin.pk}"), 409, "last_admin")
    admin.refresh_from_db()
    assert (admin.role, admin.is_active) == ("admin", True)


def test_one_of_two_admins_can_be_deleted(admins_api: Api, admin: User) -> None:
    make_admin()
    assert admins_api.delete(f"/users/{admin.pk}").status_code == 204
    assert_problem(admins_api.get("/users"), 401, "unauthenticated")


def test_a_user_without_posts_is_deleted(admins_api: Api) -> None:
    reader = make_user()
    response = admins_api.delete(f"/users/{reader.pk}")
    assert (response.status_code, response.content) == (204, b"")
    assert_problem(admins_api.get(f"/users/{reader.pk}"), 404, "not_found")


def test_a_user_with_posts_is_deleted_if_they_are_reassigned(admins_api: Api) -> None:
    author, new_owner = make_author(), make_author(username="new_owner")
    post, draft = make_post(author=author), make_draft(author=author)
    assert_problem(admins_api.delete(f"/users/{author.pk}"), 409, "user_has_posts")
    assert admins_api.delete(f"/users/{author.pk}?reassign_to={new_owner.pk}").status_code == 204
    for taken in (post, draft):
        assert admins_api.get(f"/posts/{taken.pk}").json()["author"]["username"] == "new_owner"


@pytest.mark.parametrize("new_owner", ["0", "-1", "x", "", str(2**63), str(10**30), str(2**63 - 1)])
def test_an_invalid_new_owner_is_refused(admins_api: Api, new_owner: str) -> None:
    author = make_author()
    response = admins_api.delete(f"/users/{author.pk}?reassign_to={new_owner}")
    assert_problem(response, 422, "validation_error", "#/query/reassign_to")
    assert User.objects.filter(pk=author.pk).exists()


def test_posts_are_not_reassigned_to_a_reader(admins_api: Api) -> None:
    author, reader = make_author(), make_user()
    make_post(author=author)
    response = admins_api.delete(f"/users/{author.pk}?reassign_to={reader.pk}")
    assert_problem(response, 422, "validation_error", "#/query/reassign_to")
    assert author.posts.count() == 1


def test_the_list_is_in_order_of_ids_and_in_pages(admins_api: Api) -> None:
    names = ["admin", *(make_user().username for _ in range(5))]
    first = admins_api.get("/users", {"limit": 4})
    second = admins_api.get("/users", {"limit": 4, "cursor": first.json()["next"]})
    assert (usernames(first), usernames(second)) == (names[:4], names[4:])
    assert second.json()["next"] is None


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, ["admin", "ines", "tomas", "gone"]),
        ({"role": "author"}, ["ines", "gone"]),
        ({"is_active": "false"}, ["gone"]),
        ({"is_active": "true", "role": "author"}, ["ines"]),
        ({"q": "INE"}, ["ines"]),
        ({"q": "rivera"}, ["tomas"]),
        ({"q": "example.org"}, ["gone"]),
        ({"q": "%"}, []),
    ],
)
def test_the_list_is_filtered_by_every_condition(admins_api: Api, query: dict[str, str], names: list[str]) -> None:
    make_author(username="ines", email="a@example.com")
    make_user(username="tomas", email="b@example.com", full_name="T. Rivera")
    make_author(username="gone", email="c@example.org", is_active=False)
    assert usernames(admins_api.get("/users", query)) == names


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"limit": 0}, "#/query/limit"),
        ({"limit": 101}, "#/query/limit"),
        ({"limit": 10**30}, "#/query/limit"),
        ({"limit": "x"}, "#/query/limit"),
        ({"cursor": "forged"}, "#/query/cursor"),
        ({"role": "owner"}, "#/query/role"),
        ({"is_active": "maybe"}, "#/query/is_active"),
        ({"q": ""}, "#/query/q"),
        ({"q": "q" * 101}, "#/query/q"),
        ({"q": "\x00"}, "#/query/q"),
        ({"page": 2}, "#/query/page"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_invalid_query_parameters_are_refused(admins_api: Api, query: dict[str, Any], pointer: str) -> None:
    assert_problem(admins_api.get("/users", query), 422, "validation_error", pointer)


def test_the_list_costs_two_queries_and_reads_no_password_however_long(admins_api: Api) -> None:
    costs = []
    for total in (1, 100):
        missing = total - User.objects.count()
        User.objects.bulk_create(User(username=f"u{n}", email=f"u{n}@example.com") for n in range(missing))
        with CaptureQueriesContext(connection) as queries:
            response = admins_api.get("/users", {"limit": 100})
        assert len(response.json()["items"]) == total
        assert not any("password" in query["sql"] for query in queries)
        costs.append(len(queries))
    assert costs == [2, 2]
    assert "argon2" not in response.content.decode()


@pytest.mark.parametrize("path", ["/users/{id}", "/users/by-username/{name}"])
def test_reading_one_costs_two_queries_and_reads_no_password(admins_api: Api, path: str) -> None:
    reader = make_user()
    with CaptureQueriesContext(connection) as queries:
        assert admins_api.get(path.format(id=reader.pk, name=reader.username)).status_code == 200
    assert len(queries) == 2
    assert not any("password" in query["sql"] for query in queries)
