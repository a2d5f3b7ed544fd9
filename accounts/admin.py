"""The admin site: its login form, and the pages of users."""

import re
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from accounts import security_log, services
from accounts.login_throttle import FailureThrottle, address_of
from accounts.models import Session, User
from blogsite.admin import ServiceAdmin
from blogsite.errors import TooManyRequests

admin.site.unregister(Group)  # users have roles instead of groups


class LoginForm(AdminAuthenticationForm):
    """The login form of the admin site, with the same throttling as the login of the API."""

    def clean(self) -> dict[str, Any]:
        request = cast(HttpRequest, self.request)
        try:
            with FailureThrottle("login", request, self.cleaned_data.get("username", ""), exceptions=ValidationError):
                return super().clean()
        except TooManyRequests as error:
            raise ValidationError(error.detail) from None
        except ValidationError:
            security_log.record("login_failed", address=address_of(request), site="admin")
            raise

    def confirm_login_allowed(self, user: Any) -> None:
        super().confirm_login_allowed(user)
        security_log.record("login", user_id=user.pk, address=address_of(cast(HttpRequest, self.request)), site="admin")


admin.site.login_form = LoginForm


class AccountCreationForm(UserCreationForm[User]):
    """The form that creates a user, with a role and a password."""

    class Meta:
        model = User
        fields = ("username", "email", "full_name", "role")

    def set_password_and_save(self, user: User, *args: Any, **kwargs: Any) -> User:
        return user  # `UserAdmin.save_model` stores the user


@admin.register(User)
class UserAdmin(ServiceAdmin[User], DjangoUserAdmin[User]):
    """The admin pages of users. They set passwords and never show a password hash."""

    add_form = AccountCreationForm
    list_display = ("username", "email", "full_name", "role", "is_active", "last_login", "created_at")
    list_filter = ("role", "is_active")
    search_fields = ("username", "email", "full_name")
    ordering = ("username",)
    save_on_top = True  # the Enter key presses the first button of a form, which must not end sessions
    date_hierarchy = "created_at"
    filter_horizontal = ()
    readonly_fields = ("password_link", "open_sessions", "last_login", "created_at")
    fieldsets = (
        (None, {"fields": ("username", "email", "password_link", "open_sessions")}),
        ("Person", {"fields": ("full_name", "bio")}),
        ("Rights", {"fields": ("role", "is_active")}),
        ("Times", {"fields": ("last_login", "created_at")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "email", "full_name", "role", "password1", "password2")}),)
    form = ModelForm[User]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.end_sessions))
        return [path("<int:user_id>/end-sessions/", view, name="accounts_user_end_sessions"), *super().get_urls()]

    @admin.display(description="Password")
    def password_link(self, user: User) -> str:
        address = reverse("admin:auth_user_password_change", args=[user.pk])
        return format_html('<a href="{}">Set a new password</a>', address)

    @admin.display(description="Sessions")
    def open_sessions(self, user: User) -> str:
        address = reverse("admin:accounts_user_end_sessions", args=[user.pk])
        button = format_html('<button class="button" formaction="{}" formnovalidate', address)
        rows = []
        for session in user.sessions.current().with_session().order_by("-last_used_at"):
            times = f"{session.created_at:%Y-%m-%d %H:%M} to {session.last_used_at:%Y-%m-%d %H:%M}"
            client = f"{session.address or 'unknown address'}, {session.user_agent or 'unknown client'}"
            rows.append((times, client, button, session.pk))
        if not rows:
            return "None."
        items = format_html_join("", '<p>{}, {} {} name="session" value="{}">End</button></p>', rows)
        return format_html('{}{} name="session" value="">End all sessions</button>', items, button)

    def end_sessions(self, request: HttpRequest, user_id: int) -> HttpResponse:
        """End one session or all sessions of a user in the API. Logins to the admin site are separate."""
        user = self.get_object(request, str(user_id))
        session_id = request.POST.get("session", "")
        if user is None or not self.has_change_permission(request, user) or not re.fullmatch(r"\d{0,18}", session_id):
            raise PermissionDenied
        count = Session.objects.end(user.pk, session_id=int(session_id) if session_id else None)
        message = f"Ended {count} session{'' if count == 1 else 's'} of {user}."
        self.log_change(request, user, message)
        self.message_user(request, message, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:accounts_user_change", args=[user.pk]))

    @method_decorator(sensitive_post_parameters())
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        password = request.POST.get("password1")
        if password and password == request.POST.get("password2") and self.has_add_permission(request):
            # Before Django begins the transaction: no lock is held while a password is hashed.
            request.password_hash = make_password(password)  # type: ignore[attr-defined]
        return super().add_view(request, form_url, extra_context)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if change:
            changes = {name: form.cleaned_data[name] for name in form.changed_data}
            services.update_user(user_id=obj.pk, changes=changes, actor=cast(User, request.user))
        else:
            fields = {name: form.cleaned_data[name] for name in AccountCreationForm.Meta.fields}
            obj.pk = services.create_user(password_hash=request.password_hash, **fields).pk  # type: ignore[attr-defined]
            obj.refresh_from_db()

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        services.delete_user(user_id=obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            services.delete_user(user_id=user.pk)
