"""What the admin pages of all apps share."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponseRedirect

from blogsite.errors import BlogError

admin.site.site_header = admin.site.site_title = "Blogsite"
admin.site.index_title = "Write and manage"
admin.site.site_url = None  # a headless blog has no pages of its own

M = TypeVar("M", bound=Model)


class ServiceAdmin(admin.ModelAdmin[M]):
    """A ModelAdmin whose writes are services.

    What a service refuses is shown on the form, with all that was typed, and nothing is stored.
    """

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            with self.before_the_transaction(request):
                return super().changeform_view(request, *args, **kwargs)
        except BlogError as error:
            request.refusal = "; ".join(wrong.message for wrong in error.errors) or error.detail  # type: ignore[attr-defined]
            return super().changeform_view(request, *args, **kwargs)

    def before_the_transaction(self, request: HttpRequest) -> AbstractContextManager[None]:
        """What is to be done around the transaction in which a form is saved: what takes long, and no database."""
        return nullcontext()

    def get_form(
        self, request: HttpRequest, obj: M | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm[M]]:
        form = super().get_form(request, obj, change=change, **kwargs)
        refusal = getattr(request, "refusal", None)
        return form if refusal is None else type(form.__name__, (form,), {"clean": _refuse_with(refusal)})

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            # An action on many rows, and what the log says of it, happen whole or not. A look locks nothing.
            with transaction.atomic() if request.method == "POST" else nullcontext():
                return super().changelist_view(request, *args, **kwargs)
        except BlogError as error:
            messages.error(request, error.detail)
            return HttpResponseRedirect(request.get_full_path())

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().delete_view(request, *args, **kwargs)
        except BlogError as error:
            messages.error(request, error.detail)
            return HttpResponseRedirect(request.path)

    def for_each(self, request: HttpRequest, queryset: QuerySet[M], act: Callable[[M], object], done: str) -> None:
        """Do `act` to each of the chosen rows, say how many were `done`, and why any was refused."""
        refused: dict[str, int] = {}
        rows = list(queryset)
        for row in rows:
            try:
                act(row)
            except BlogError as error:
                refused[error.detail] = refused.get(error.detail, 0) + 1
        if count := len(rows) - sum(refused.values()):
            self.message_user(request, f"{count} {done}.", messages.SUCCESS)
        for detail, count in refused.items():
            self.message_user(request, f"{count} refused: {detail}", messages.ERROR)


def _refuse_with(detail: str) -> Callable[[ModelForm[Any]], None]:
    def clean(form: ModelForm[Any]) -> None:
        raise ValidationError(detail)

    return clean
