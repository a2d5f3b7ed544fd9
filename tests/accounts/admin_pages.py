"""The pages of users in the admin site: their addresses and the data of their forms."""

from typing import Any

from accounts.models import User

LIST = "/admin/accounts/user/"


def page(user: User, action: str = "change") -> str:
    return f"{LIST}{user.pk}/{action}/"


def form(user: User, **changes: Any) -> dict[str, Any]:
    """The form data of the page of a user, with changes. None removes a field."""
    fields = {
        "username": user.username,
        "email": user.email,
        "full_name": user.full_name,
        "bio": user.bio,
        "role": user.role,
        "is_active": "on" if user.is_active else None,
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}
