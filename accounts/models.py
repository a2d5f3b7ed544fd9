"""Users and their roles, sessions, API tokens, and the stored responses of idempotent requests."""

import hashlib
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, BaseUserManager
from django.core.validators import MaxLengthValidator, RegexValidator
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from accounts import security_log
from blogsite.db.compiled_queries import Placeholder, as_expression
from blogsite.db.loading import FastLoadingModel

USERNAME_PATTERN = r"^[A-Za-z0-9._-]{3,30}\Z"

models.CharField.register_lookup(Lower)


class Role(models.TextChoices):
    """What a user may do. Each role includes the permissions of the roles before it."""

    READER = "reader", "Reader"
    AUTHOR = "author", "Author"
    EDITOR = "editor", "Editor"
    ADMIN = "admin", "Admin"


class UserQuerySet(models.QuerySet["User"]):
    """Scopes of users."""

    def active(self) -> Self:
        return self.filter(is_active=True)

    def admins(self) -> Self:
        return self.filter(role=Role.ADMIN)

    def named(self, username: str | Placeholder) -> Self:
        """The user with this username, whatever its letter case."""
        return self.filter(username__lower=Lower(as_expression(username)))

    def with_login(self, login: str) -> Self:
        """The user with this username or e-mail address, whatever its letter case. No username contains an `@`."""
        return self.filter(email__lower=login.lower()) if "@" in login else self.named(login)

    def with_account(self) -> Self:
        """Loads what `AccountOut` shows, without the password hash."""
        return self.defer("password", "last_login")

    def writers(self) -> Self:
        """The active users who may write posts."""
        return self.active().exclude(role=Role.READER)

    def matching(self, *, role: str | None = None, is_active: bool | None = None, search: str | None = None) -> Self:
        """The users that match every condition that is not None. `search` is in the username, full name or address."""
        condition = Q()
        if role is not None:
            condition &= Q(role=role)
        if is_active is not None:
            condition &= Q(is_active=is_active)
        if search is not None:
            condition &= Q(username__icontains=search) | Q(full_name__icontains=search) | Q(email__icontains=search)
        return self.filter(condition)


class UserManager(BaseUserManager["User"]):
    """The manager methods that Django's own commands and authentication backends call."""

    def get_by_natural_key(self, username: str | None) -> "User":
        return UserQuerySet(self.model, using=self._db).with_login(username or "").get()

    def create_superuser(self, username: str, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create an admin, for `manage.py createsuperuser`."""
        user = self.model(username=username, email=email, role=Role.ADMIN, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(FastLoadingModel, AbstractBaseUser):
    """A person with an account. Usernames and e-mail addresses are unique without regard to letter case."""

    username = models.CharField(
        max_length=30,
        validators=[RegexValidator(USERNAME_PATTERN, "Must be 3 to 30 of A-Z, a-z, 0-9, full stop, _ and -.")],
        help_text="3 to 30 of letters, digits, full stop, _ and -.",
    )
    # ASCII only: SQLite and PostgreSQL lower other letters differently.
    email = models.EmailField(
        "e-mail address", max_length=254, validators=[RegexValidator(r"^[\x21-\x7e]*\Z", "Must be in ASCII.")]
    )
    full_name = models.CharField(max_length=150, blank=True)
    bio = models.TextField(blank=True, validators=[MaxLengthValidator(2000)])
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.READER)
    is_active = models.BooleanField(
        "active", default=True, help_text="An inactive user cannot log in. Deactivating a user ends all their sessions."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = UserManager.from_queryset(UserQuerySet)()

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS = ["email"]

    class Meta:
        ordering = ["username"]
        constraints = [
            models.UniqueConstraint(
                Lower("username"), name="accounts_user_username_unique", violation_error_message="This name is taken."
            ),
            models.UniqueConstraint(
                Lower("email"), name="accounts_user_email_unique", violation_error_message="This address is taken."
            ),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="accounts_user_role_known"),
        ]

    def __str__(self) -> str:
        return self.username

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the user, and record `user_created` for a new one.

        After `set_password` or `set_unusable_password` on a stored user, also do what `password_replaced` does.
        Every path that creates a user or sets a password by Django's means ends here: the admin site,
        `createsuperuser`, `changepassword`, and our services.
        """
        is_new, has_new_password = self._state.adding, self._password is not None
        with transaction.atomic():
            super().save(*args, **kwargs)
            if is_new:
                security_log.record("user_created", user_id=self.pk, role=self.role)
            elif has_new_password:
                self.password_replaced()

    def password_replaced(self, *, except_session_id: int | None = None) -> None:
        """Record `password_changed` and end the user's sessions, but for the one with the id `except_session_id`."""
        security_log.record("password_changed", user_id=self.pk)
        Session.objects.end(self.pk, except_session_id=except_session_id)

    def set_unusable_password(self) -> None:
        super().set_unusable_password()
        self._password = ""  # `save` then treats it as a new password

    def get_full_name(self) -> str:
        return self.full_name or self.username

    get_short_name = get_full_name

    @property
    def is_admin(self) -> bool:
        return self.role == Role.ADMIN

    @property
    def is_editor(self) -> bool:
        return self.role in (Role.EDITOR, Role.ADMIN)

    @property
    def is_author(self) -> bool:
        return self.role in (Role.AUTHOR, Role.EDITOR, Role.ADMIN)

    @property
    def sees_unpublished(self) -> bool:
        """Whether the user may see posts that are not public: authors their own, editors and admins all."""
        return self.is_active and self.is_author

    is_staff = is_author  # who may enter the admin site
    is_superuser = is_admin

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Whether the user has a permission, in the API and in the admin site. `perm` is Django's `app.action_model`.

        Admins have every permission, editors all those on posts, authors those on their own posts. Without `obj`,
        returns whether the user can have the permission on some object. Inactive users have none.
        """
        if not self.is_active:
            return False
        if self.is_admin:
            return True
        if not self.is_author or not perm.startswith("posts."):
            return False
        return self.is_editor or obj is None or obj.author_id == self.pk

    def has_module_perms(self, app_label: str) -> bool:
        return self.has_perm(f"{app_label}.")


Viewer = User | AnonymousUser
"""The user of a request, or an anonymous user."""


def hash_token(token: str) -> str:
    """Return the `token_hash` of a refresh token or an API token."""
    return hashlib.sha256(token.encode()).hexdigest()


class SessionQuerySet(models.QuerySet["Session"]):
    """Scopes of sessions, and how sessions end."""

    def current(self, now: datetime | None = None) -> Self:
        """The sessions that have not ended: neither `SESSION_LIFETIME` nor `SESSION_IDLE` has passed."""
        now = now or timezone.now()
        return self.filter(expires_at__gt=now, last_used_at__gt=now - settings.SESSION_IDLE)

    def with_session(self) -> Self:
        """Loads what `SessionOut` shows, without the hashes and the family of its tokens."""
        return self.only("user", "created_at", "last_used_at", "expires_at", "user_agent", "address")

    def end(self, user_id: int, *, session_id: int | None = None, except_session_id: int | None = None) -> int:
        """End all sessions of a user, or one, or all except one. Records `sessions_ended`; returns how many ended."""
        sessions = self.filter(user=user_id)
        if session_id is not None:
            sessions = sessions.filter(pk=session_id)
        if except_session_id is not None:
            sessions = sessions.exclude(pk=except_session_id)
        ended, _ = sessions.delete()
        if ended:
            security_log.record("sessions_ended", user_id=user_id, session_id=session_id, count=ended)
        return ended


class Session(FastLoadingModel):
    """A login on one client. To end a session is to delete its row.

    A session has a family of refresh tokens, of which only the newest is valid (`accounts.credentials.sessions`).
    The hashes of the newest token and of the one before it are stored, never a token.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    family = models.CharField(max_length=32, unique=True, editable=False)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    previous_hash = models.CharField(max_length=64, blank=True, editable=False)
    rotated_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    user_agent = models.CharField(max_length=300, blank=True)
    address = models.GenericIPAddressField(null=True)

    objects = SessionQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="accounts_session_expires")]

    def __str__(self) -> str:
        return f"since {self.created_at:%Y-%m-%d %H:%M}, {self.user_agent or 'unknown client'}"


class Scope(models.TextChoices):
    """What an API token may do."""

    READ = "read", "Read"
    WRITE = "write", "Read and write"


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    """Scopes of API tokens."""

    def with_token(self) -> Self:
        """Loads what `ApiTokenOut` shows, without the hash."""
        return self.defer("token_hash")


class ApiToken(FastLoadingModel):
    """A token that a user created for a site build or a script. Only its hash is stored."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    scope = models.CharField(max_length=5, choices=Scope.choices)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=12, editable=False, help_text="The beginning of the token.")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(scope__in=Scope.values), name="accounts_apitoken_scope_known")
        ]

    def __str__(self) -> str:
        return self.name


class IdempotentRequest(models.Model):
    """A request with an `Idempotency-Key`, and the response to it (`accounts.idempotency`)."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    answer = models.TextField()  # the JSON as it was sent: a JSONField on PostgreSQL does not keep the order of keys
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="accounts_idempotentrequest_unique")]

    def __str__(self) -> str:
        return self.key
