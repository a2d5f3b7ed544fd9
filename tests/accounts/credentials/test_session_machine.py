"""A state machine compares the API with a model of sessions: after any steps, exactly the expected tokens are valid."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any, TypeVar

import pytest
import time_machine
from asgiref.sync import async_to_sync, sync_to_async
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.test.utils import override_settings
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from accounts.models import Session, User
from blogsite.http.throttling import ProcessThrottle, throttle
from tests.client import Api, assert_problem
from tests.factories import PASSWORD, make_admin, make_user

START = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
GRACE = timedelta(seconds=10)
IDLE = timedelta(days=7)
LIFETIME = timedelta(days=30)
ACCESS_SECONDS = 600
NAMES = ["ines", "otto"]
PASSWORDS = [PASSWORD, "loud-ocean-candle"]
MOMENTS = [0.5, 5, 10, 10.5]
MINUTES = [60, 540, 600]
DAYS = [4 * 86_400, 7 * 86_400 - 1, 7 * 86_400]
T = TypeVar("T")


def one_of(items: Sequence[T], number: int) -> T:
    return items[number % len(items)]


@dataclass
class Owner:
    """A user in the model."""

    user: User
    password: str = PASSWORD
    is_active: bool = True


@dataclass(eq=False)
class Login:
    """A session in the model. `refresh_tokens` are in order of issue; `access_tokens` are pairs with the expiry."""

    owner: Owner
    session_id: int
    ends_at: datetime
    used_at: datetime
    rotated_at: datetime
    refresh_tokens: list[str]
    access_tokens: list[tuple[str, int]] = field(default_factory=list)
    has_ended: bool = False

    def __repr__(self) -> str:
        return f"{self.owner.user}'s session {self.session_id}"

    def is_current(self, now: datetime) -> bool:
        """Whether the session can be refreshed: it has not ended, and is neither too old nor unused for too long."""
        return not self.has_ended and now < self.ends_at and now < self.used_at + IDLE

    def token_of_age(self, age: int) -> str:
        """The refresh token of this number of rotations ago, or the first one."""
        return self.refresh_tokens[max(-1 - age, -len(self.refresh_tokens))]

    def opens(self, end: int, now: datetime) -> bool:
        """Whether an access token of this session with this expiry is valid."""
        return not self.has_ended and now.timestamp() < end


class SessionMachine(RuleBasedStateMachine):
    """Performs each step with the API and with the model."""

    numbers = st.integers(0, 2)

    def __init__(self) -> None:
        super().__init__()
        assert isinstance(throttle, ProcessThrottle)
        throttle.clear()
        self.now = START
        self.clock = time_machine.travel(START, tick=False)
        self.traveller = self.clock.start()
        self.example = transaction.atomic()
        self.example.__enter__()
        self.api = Api(Client(raise_request_exception=False))
        self.admin = make_admin()
        self.owners = [Owner(make_user(username=name, password=PASSWORD)) for name in NAMES]
        self.all: list[Login] = []

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.example.__exit__(None, None, None)
        self.clock.stop()

    # What is done. `number` chooses one of those that there are.

    @rule(number=numbers)
    def log_in(self, number: int) -> None:
        owner = one_of(self.owners, number)
        if owner.is_active:
            self.begin(owner)
        else:
            self.assert_refused(owner, owner.password)

    @rule(number=numbers)
    def refresh(self, number: int) -> None:
        login = self.current(number)
        self.refresh_with(login, login.refresh_tokens[-1])

    @rule(number=numbers)
    def refresh_in_two_tabs(self, number: int) -> None:
        login = self.current(number)
        token = login.refresh_tokens[-1]
        answers = [self.refresh_with(login, token) for _ in range(2)]
        assert answers[0] == answers[1] == login.refresh_tokens[-1]

    @rule(number=numbers, age=st.integers(1, 3))
    def refresh_with_an_old_token(self, number: int, age: int) -> None:
        login = self.current(number)
        self.refresh_with(login, login.token_of_age(age))

    @rule(number=numbers, waits=st.lists(st.sampled_from(MOMENTS), max_size=2))
    def refresh_late_in_another_tab(self, number: int, waits: list[float]) -> None:
        login = self.current(number)
        token = login.refresh_tokens[-1]
        self.refresh_with(login, token)
        for seconds in waits:
            self.wait(seconds)
        self.refresh_with(login, token)

    @rule(number=numbers)
    def refresh_with_a_made_up_secret(self, number: int) -> None:
        login = self.current(number)
        self.refresh_with(login, f"{login.refresh_tokens[0].partition('.')[0]}.made-up")

    @rule(number=numbers, age=st.integers(0, 1))
    def refresh_what_is_over(self, number: int, age: int) -> None:
        over = [login for login in self.all if not login.is_current(self.now)]
        if over:
            login = one_of(over, number)
            self.refresh_with(login, login.token_of_age(age))

    @rule(number=numbers, age=st.integers(0, 2))
    def log_out(self, number: int, age: int) -> None:
        login = self.current(number)
        assert self.api.post("/auth/logout", {"refresh_token": login.token_of_age(age)}).status_code == 204
        login.has_ended = True

    @rule(number=numbers, other=st.integers(0, 4))
    def end_one(self, number: int, other: int) -> None:
        by, login = self.current(number), one_of(self.all, other)
        known = by.owner is login.owner and not login.has_ended
        if self.ask(by, "DELETE", f"/auth/sessions/{login.session_id}", status=204 if known else 404) and known:
            login.has_ended = True

    @rule(number=numbers)
    def end_all(self, number: int) -> None:
        by = self.current(number)
        if self.ask(by, "DELETE", "/auth/sessions", status=204):
            self.end(by.owner)

    @rule(number=numbers, has_another=st.booleans())
    def change_password(self, number: int, has_another: bool) -> None:
        by = self.current(number)
        if has_another:
            self.begin(by.owner)
        new = self.other_password(by.owner)
        body = {"current_password": by.owner.password, "new_password": new}
        if self.ask(by, "POST", "/auth/password/change", body, status=204):
            by.owner.password = new
            self.end(by.owner, except_login=by)

    @rule(number=numbers)
    def deactivate_and_reactivate(self, number: int) -> None:
        self.set_activity(number, False)
        self.exactly_the_valid_access_tokens_are_accepted()
        self.set_activity(number, True)

    @rule(number=numbers, is_active=st.booleans())
    def set_activity(self, number: int, is_active: bool) -> None:
        owner = one_of(self.owners, number)
        self.change_as_admin(owner, is_active=is_active)
        owner.is_active = is_active
        if not is_active:
            self.end(owner)

    @rule(number=numbers, what=st.sampled_from(["role", "wrong login", "wrong change", "made-up token"]))
    def do_what_ends_nothing(self, number: int, what: str) -> None:
        by = self.current(number)
        wrong = self.other_password(by.owner)
        match what:
            case "role":
                self.change_as_admin(by.owner, role=["reader", "editor", "admin"][number])
            case "wrong login":
                self.assert_refused(by.owner, wrong)
            case "wrong change":
                body = {"current_password": wrong, "new_password": wrong}
                self.ask(by, "POST", "/auth/password/change", body, status=422)
            case _:
                answer = self.api.post("/auth/refresh", {"refresh_token": "made.up"})
                assert_problem(answer, 401, "unauthenticated")

    @rule(number=numbers)
    def list_sessions(self, number: int) -> None:
        by = self.current(number)
        if answer := self.ask(by, "GET", "/auth/sessions?limit=100", status=200):
            mine = [login for login in self.all if login.owner is by.owner and login.is_current(self.now)]
            listed = {(item["id"], item["is_current"]) for item in answer.json()["items"]}
            assert listed == {(login.session_id, login is by) for login in mine}

    @rule()
    def purge(self) -> None:
        call_command("purge_sessions", stdout=StringIO())
        for login in self.all:
            login.has_ended |= not login.is_current(self.now)

    @rule(number=numbers, seconds=st.sampled_from(DAYS))
    def come_back_after_days(self, number: int, seconds: float) -> None:
        login = self.current(number)
        self.wait(seconds)
        self.refresh_with(login, login.refresh_tokens[-1])

    @rule(seconds=st.sampled_from([*MOMENTS, *MINUTES, *DAYS]))
    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.traveller.move_to(self.now)

    @rule(number=numbers, left=st.sampled_from([3600, 300.5, 300, 0.5, 0]))
    def use_a_session_for_weeks(self, number: int, left: float) -> None:
        """Use a session until this number of seconds before its end."""
        login = self.current(number)
        stop = login.ends_at - timedelta(seconds=left)
        while self.now < stop:
            self.wait(min(timedelta(days=6), stop - self.now).total_seconds())
            self.refresh_with(login, login.refresh_tokens[-1])

    # Invariants, checked after each step.

    @invariant()
    def exactly_the_valid_access_tokens_are_accepted(self) -> None:
        for login in self.all:
            for token, end in login.access_tokens:
                answer = self.api.get("/users/me", Authorization=f"Bearer {token}")
                assert answer.status_code == (200 if login.opens(end, self.now) else 401), login
                if answer.status_code == 200:
                    assert answer.json()["username"] == login.owner.user.username
            # Expired tokens are not sent again, except the newest.
            *older, newest = login.access_tokens
            login.access_tokens = [*((token, end) for token, end in older if self.now.timestamp() < end), newest]

    # Helper methods.

    def current(self, number: int) -> Login:
        """A session that has not ended, or a new one of an active user if all have."""
        current = [login for login in self.all if login.is_current(self.now)]
        if current:
            return one_of(current, number)
        if not one_of(self.owners, number).is_active:
            self.set_activity(number, True)
        return self.begin(one_of(self.owners, number))

    def begin(self, owner: Owner) -> Login:
        answer = self.api.post("/auth/login", {"username": owner.user.username, "password": owner.password})
        assert answer.status_code == 200
        login = Login(owner, Session.objects.latest("pk").pk, self.now + LIFETIME, self.now, self.now, [])
        self.all.append(login)
        self.keep_tokens(login, answer.json())
        return login

    def assert_refused(self, owner: Owner, password: str) -> None:
        answer = self.api.post("/auth/login", {"username": owner.user.username, "password": password})
        assert_problem(answer, 401, "wrong_credentials")

    def refresh_with(self, login: Login, token: str) -> str | None:
        """Refresh, compare the response with the model, and return the new refresh token."""
        answer = self.api.post("/auth/refresh", {"refresh_token": token})
        previous = login.refresh_tokens[-2] if len(login.refresh_tokens) > 1 else None
        if not login.is_current(self.now):
            assert_problem(answer, 401, "unauthenticated")
            return None
        if token == login.refresh_tokens[-1]:
            login.used_at = login.rotated_at = self.now
            assert answer.json()["refresh_token"] not in login.refresh_tokens
            self.keep_tokens(login, answer.json())
        elif token == previous and self.now - login.rotated_at <= GRACE:
            assert answer.json()["refresh_token"] == login.refresh_tokens[-1]
            self.keep_tokens(login, answer.json())
        else:
            assert_problem(answer, 401, "unauthenticated")
            login.has_ended = True
            return None
        return login.refresh_tokens[-1]

    def keep_tokens(self, login: Login, tokens: dict[str, Any]) -> None:
        now = int(self.now.timestamp())
        lifetime = min(ACCESS_SECONDS, int(login.ends_at.timestamp()) - now)
        assert tokens["expires_in"] == lifetime
        if tokens["refresh_token"] not in login.refresh_tokens:
            login.refresh_tokens.append(tokens["refresh_token"])
        login.access_tokens.append((tokens["access_token"], now + lifetime))

    def ask(self, by: Login, method: str, path: str, body: Any = None, *, status: int) -> Any:
        """The response, with this status, to the newest access token of a session. None if the token is not valid."""
        token, end = by.access_tokens[-1]
        answer = self.api.send(method, path, body, Authorization=f"Bearer {token}")
        is_good = by.opens(end, self.now)
        assert answer.status_code == (status if is_good else 401)
        return answer if is_good else None

    def change_as_admin(self, owner: Owner, **changes: Any) -> None:
        api = self.api.acting_as(self.admin)
        assert api.patch(f"/users/{owner.user.pk}", changes).status_code == 200

    def end(self, owner: Owner, *, except_login: Login | None = None) -> None:
        for login in self.all:
            login.has_ended |= login.owner is owner and login is not except_login

    def other_password(self, owner: Owner) -> str:
        return PASSWORDS[owner.password == PASSWORDS[0]]


def run_machine(examples: int) -> None:
    profile = settings(
        max_examples=examples, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    with override_settings(
        # The machine logs in thousands of times; it tests neither hashing nor throttling.
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        FREE_FAILURES=10_000,
        MIDDLEWARE=[],  # as in the server, whose handler for the API runs no middleware
    ):
        run_state_machine_as_test(SessionMachine, settings=profile)


def in_one_loop(function: Callable[[int], None], argument: int) -> None:
    """Call a sync function under one event loop, so that Django's test client need not start one per request."""
    async_to_sync(sync_to_async(function))(argument)


@pytest.mark.django_db
def test_exactly_the_tokens_of_the_model_are_valid() -> None:
    in_one_loop(run_machine, 25)


@pytest.mark.slow
@pytest.mark.django_db
def test_exactly_the_tokens_of_the_model_are_valid_in_500_runs() -> None:
    in_one_loop(run_machine, 500)
