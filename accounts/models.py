"""The user, their role and what each role may do; their sessions and API tokens."""

from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, BaseUserManager
from django.core.validators import MaxLengthValidator, RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from blogsite.db.compiled_queries import Placeholder, as_expression
from blogsite.db.loading import FastLoadingModel

USERNAME_PATTERN = r"^[A-Za-z0-9._-]{3,30}\Z"

models.CharField.register_lookup(Lower)


class Role(models.TextChoices):
    """What a user may do: each role also does what the ones above it do."""

    READER = "reader", "Reader"
    AUTHOR = "author", "Author"
    EDITOR = "editor", "Editor"
    ADMIN = "admin", "Admin"


class UserQuerySet(models.QuerySet["User"]):
    """Questions about users."""

    def active(self) -> Self:
        return self.filter(is_active=True)

    def admins(self) -> Self:
        return self.filter(role=Role.ADMIN)

    def named(self, username: str | Placeholder) -> Self:
        """The user of this name, in any case of letters."""
        return self.filter(username__lower=Lower(as_expression(username)))

    def with_login(self, login: str) -> Self:
        """The user whose name or e-mail address this is, in any case of letters. No name has an `@`."""
        return self.filter(email__lower=login.lower()) if "@" in login else self.named(login)

    def with_account(self) -> Self:
        """Load what `AccountOut` shows: never a password's hash."""
        return self.defer("password", "last_login")

    def writers(self) -> Self:
        """Who may write posts."""
        return self.active().exclude(role=Role.READER)

    def matching(self, *, role: str | None = None, is_active: bool | None = None, q: str | None = None) -> Self:
        """Users of a role, of a state, and with `q` in their name, full name or e-mail address; None asks nothing."""
        users = self
        if role is not None:
            users = users.filter(role=role)
        if is_active is not None:
            users = users.filter(is_active=is_active)
        if q is not None:
            users = users.filter(
                models.Q(username__icontains=q) | models.Q(full_name__icontains=q) | models.Q(email__icontains=q)
            )
        return users


class UserManager(BaseUserManager["User"]):
    """What Django's own commands and backends ask of `User.objects`."""

    def get_by_natural_key(self, username: str | None) -> "User":
        return UserQuerySet(self.model, using=self._db).with_login(username or "").get()

    def create_superuser(self, username: str, email: str, password: str | None = None, **fields: Any) -> "User":
        """Make an admin, for `manage.py createsuperuser`."""
        user = self.model(username=username, email=email, role=Role.ADMIN, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(FastLoadingModel, AbstractBaseUser):
    """A person with an account. Names and e-mail addresses are each unique, whatever the case of their letters."""

    username = models.CharField(
        max_length=30,
        validators=[RegexValidator(USERNAME_PATTERN, "Must be 3 to 30 of A-Z, a-z, 0-9, full stop, _ and -.")],
        help_text="3 to 30 of letters, digits, full stop, _ and -.",
    )
    # In ASCII both engines agree on what differs only in the case of letters.
    email = models.EmailField(
        "e-mail address", max_length=254, validators=[RegexValidator(r"^[\x21-\x7e]*\Z", "Must be in ASCII.")]
    )
    full_name = models.CharField(max_length=150, blank=True)
    bio = models.TextField(blank=True, validators=[MaxLengthValidator(2000)])
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.READER)
    is_active = models.BooleanField(
        "active", default=True, help_text="Who is not active cannot log in, and loses every session."
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
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="accounts_user_role_known"),
        ]

    def __str__(self) -> str:
        return self.username

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the user. With a new password by `set_password`, as the admin site and Django's commands give one,
        every session ends."""
        has_new_password = getattr(self, "_password", None) is not None and not self._state.adding
        super().save(*args, **kwargs)
        if has_new_password:
            self.sessions.all().delete()

    def set_unusable_password(self) -> None:
        super().set_unusable_password()
        self._password = ""  # so that `save` takes it for a new password

    def get_full_name(self) -> str:
        return self.full_name or self.username

    def get_short_name(self) -> str:
        return self.get_full_name()

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
        """Whether the user may see posts that are not public: an author their own, the roles above all."""
        return self.is_active and self.is_author

    @property
    def is_staff(self) -> bool:
        """Whether the user may enter the admin site."""
        return self.is_author

    @property
    def is_superuser(self) -> bool:
        return self.is_admin

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """The one policy of the API and the admin site. `perm` is Django's `app.action_model`.

        Admins may do everything. Editors may do everything to posts, authors to their own; without `obj` the answer
        says whether there may be one. Nobody who is inactive may do anything.
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
"""Whoever looks: a user, or nobody known."""


class SessionQuerySet(models.QuerySet["Session"]):
    """Questions about sessions."""

    def current(self, now: datetime | None = None) -> Self:
        """Those that have ended neither by their age nor for want of use."""
        now = now or timezone.now()
        return self.filter(expires_at__gt=now, last_used_at__gt=now - settings.SESSION_IDLE)

    def with_session(self) -> Self:
        """Load what `SessionOut` shows: never what a token could be made from."""
        return self.only("user", "created_at", "last_used_at", "expires_at", "user_agent", "address")


class Session(FastLoadingModel):
    """A login that lasts: a family of refresh tokens, of which the newest is good. Without its row it is over.

    A token is the family's name and a secret. Only hashes are stored: of the newest, and of the one before.
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
    is_current = False  # set to true on the one that a request belongs to

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="accounts_session_expires")]

    def __str__(self) -> str:
        return f"since {self.created_at:%Y-%m-%d %H:%M}, {self.user_agent or 'unknown client'}"


class Scope(models.TextChoices):
    """What an API token may do."""

    READ = "read", "Read"
    WRITE = "write", "Read and write"


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    """Questions about API tokens."""

    def with_token(self) -> Self:
        """Load what `ApiTokenOut` shows: never the hash."""
        return self.defer("token_hash")


class ApiToken(FastLoadingModel):
    """A key that a user made for a site build or a script. Only its hash is stored."""

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
            models.CheckConstraint(condition=models.Q(scope__in=Scope.values), name="accounts_apitoken_scope_known")
        ]

    def __str__(self) -> str:
        return self.name


class IdempotentRequest(models.Model):
    """A request that came with an `Idempotency-Key`, and how it was answered (`accounts.idempotency`)."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    answer = models.TextField()  # JSON as it was sent: PostgreSQL would sort the names of a JSON column
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="accounts_idempotentrequest_unique")]

    def __str__(self) -> str:
        return self.key
