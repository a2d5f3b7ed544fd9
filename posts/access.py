"""Which posts and images a user may see, as a value that queries take as a parameter."""

from typing import NamedTuple

from accounts.models import User, Viewer


class Access(NamedTuple):
    """What a request may see besides what is public: everything, or what belongs to the user with this id."""

    sees_all: bool = False
    user_id: int | None = None

    @classmethod
    def to_posts(cls, user: Viewer) -> "Access":
        """Return the access to posts: editors and admins see all of them, authors their own, others the public ones."""
        if not (isinstance(user, User) and user.sees_unpublished):
            return cls()
        return cls(sees_all=True) if user.is_editor else cls(user_id=user.pk)

    @classmethod
    def to_media(cls, user: User) -> "Access":
        """Return the access to uploaded images: editors and admins see all of them, other users their own."""
        return cls(sees_all=True) if user.is_editor else cls(user_id=user.pk)
