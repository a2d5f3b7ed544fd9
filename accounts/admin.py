"""Users in the admin site, for admins."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from accounts import services
from accounts.models import User
from blogsite.admin import ServiceAdmin

admin.site.unregister(Group)  # roles take their place


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
    date_hierarchy = "created_at"
    filter_horizontal = ()
    readonly_fields = ("password_link", "last_login", "created_at")
    fieldsets = (
        (None, {"fields": ("username", "email", "password_link")}),
        ("Person", {"fields": ("full_name", "bio")}),
        ("Rights", {"fields": ("role", "is_active")}),
        ("Times", {"fields": ("last_login", "created_at")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "email", "full_name", "role", "password1", "password2")}),)
    form = ModelForm[User]

    @admin.display(description="Password")
    def password_link(self, user: User) -> str:
        address = reverse("admin:auth_user_password_change", args=[user.pk])
        return format_html('<a href="{}">Set a new password</a>', address)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if change:
            changes = {name: form.cleaned_data[name] for name in form.changed_data}
            services.update_user(user_id=obj.pk, changes=changes)
        else:
            fields = {name: form.cleaned_data[name] for name in AccountCreationForm.Meta.fields}
            stored = services.create_user(password_hash=make_password(form.cleaned_data["password1"]), **fields)
            vars(obj).update(vars(stored))

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        services.delete_user(user_id=obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            services.delete_user(user_id=user.pk)
