"""Users in the admin site, for admins."""

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
from django.utils.html import format_html, format_html_join
from django.views.decorators.http import require_POST

from accounts import security_log, services
from accounts.credentials import sessions
from accounts.login_throttle import FailureThrottle, address_of
from accounts.models import User
from blogsite.admin import ServiceAdmin
from blogsite.errors import TooManyRequests, WrongCredentials

admin.site.unregister(Group)  # roles take their place


class LoginForm(AdminAuthenticationForm):
    """The login of the admin site, under the same limits as the API's."""

    def clean(self) -> dict[str, Any]:
        request = cast(HttpRequest, self.request)
        try:
            with FailureThrottle("login", request, self.cleaned_data.get("username", "")):
                return self._authenticated()
        except TooManyRequests as error:
            raise ValidationError(error.detail) from None
        except WrongCredentials as error:
            security_log.record("login_failed", address=address_of(request), site="admin")
            raise cast(ValidationError, error.__cause__) from None

    def _authenticated(self) -> dict[str, Any]:
        try:
            cleaned: dict[str, Any] = super().clean()
        except ValidationError as error:
            raise WrongCredentials from error
        return cleaned

    def confirm_login_allowed(self, user: Any) -> None:
        super().confirm_login_allowed(user)
        security_log.record("login", user_id=user.pk, address=address_of(cast(HttpRequest, self.request)), site="admin")


admin.site.login_form = LoginForm


class AccountCreationForm(UserCreationForm[User]):
    """A new user: name, address, role, and a password typed twice."""

    class Meta:
        model = User
        fields = ("username", "email", "full_name", "role")


@admin.register(User)
class UserAdmin(ServiceAdmin[User], DjangoUserAdmin[User]):
    """Find, make, change, deactivate and delete users; set their passwords, and never see one."""

    add_form = AccountCreationForm
    list_display = ("username", "email", "full_name", "role", "is_active", "last_login", "created_at")
    list_filter = ("role", "is_active")
    search_fields = ("username", "email", "full_name")
    ordering = ("username",)
    save_on_top = True  # a form's first button is what the Enter key presses: it must not be one that ends sessions
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
        rows = [
            (
                f"{session.created_at:%Y-%m-%d %H:%M} to {session.last_used_at:%Y-%m-%d %H:%M}",
                session.address or "unknown address",
                session.user_agent or "unknown client",
                button,
                session.pk,
            )
            for session in user.sessions.current().with_session().order_by("-last_used_at")
        ]
        listed = format_html_join("", '<p>{}, {}, {} {} name="session" value="{}">End</button></p>', rows)
        return (
            format_html('{}{} name="session" value="">End all sessions</button>', listed, button) if rows else "None."
        )

    def end_sessions(self, request: HttpRequest, user_id: int) -> HttpResponse:
        """Log a user out of the API: of one session, or of all. The admin site's own logins are not among them."""
        user = self.get_object(request, str(user_id))
        chosen = request.POST.get("session", "")
        if user is None or not self.has_change_permission(request, user) or not re.fullmatch(r"\d{0,18}", chosen):
            raise PermissionDenied
        count = sessions.end(user.pk, session_id=int(chosen) if chosen else None)
        done = f"Ended {count} session{'' if count == 1 else 's'} of {user}."
        self.log_change(request, user, done)
        self.message_user(request, done, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:accounts_user_change", args=[user.pk]))

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if change:
            changes = {name: form.cleaned_data[name] for name in form.changed_data}
            services.update_user(user_id=obj.pk, changes=changes, actor=cast(User, request.user))
        else:
            fields = {name: form.cleaned_data[name] for name in AccountCreationForm.Meta.fields}
            stored = services.create_user(password_hash=make_password(form.cleaned_data["password1"]), **fields)
            vars(obj).update(vars(stored))

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        services.delete_user(user_id=obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            services.delete_user(user_id=user.pk)
