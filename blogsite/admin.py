"""The admin site, and the base class of the admin pages of all apps."""

from collections import Counter
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
admin.site.site_url = None  # the site has no public pages to link to

M = TypeVar("M", bound=Model)


class ServiceAdmin(admin.ModelAdmin[M]):
    """A ModelAdmin whose writes call services.

    A `BlogError` raised by a service is shown on the form, which keeps the typed values; nothing is stored.
    """

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            with self.before_the_transaction(request):
                return super().changeform_view(request, *args, **kwargs)
        except BlogError as error:
            request.service_error = "; ".join(field.message for field in error.errors) or error.detail  # type: ignore[attr-defined] # for get_form
            return super().changeform_view(request, *args, **kwargs)

    def before_the_transaction(self, request: HttpRequest) -> AbstractContextManager[None]:
        """Return a context manager that is entered before the transaction in which a form is saved, for slow work."""
        return nullcontext()

    def get_form(
        self, request: HttpRequest, obj: M | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm[M]]:
        form = super().get_form(request, obj, change=change, **kwargs)
        error: str = getattr(request, "service_error", "")

        def clean(form: ModelForm[M]) -> None:
            raise ValidationError(error)

        return type(form.__name__, (form,), {"clean": clean}) if error else form

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            # An action and its log entries are stored together. A GET request needs no transaction, and locks nothing.
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
        """Call `act` with each of the selected rows, and show messages: how many were `done`, and the errors of others.

        `done` is a past participle, such as "published".
        """
        failed: Counter[str] = Counter()
        rows = list(queryset)
        for row in rows:
            try:
                act(row)
            except BlogError as error:
                failed[error.detail] += 1
        if count := len(rows) - failed.total():
            self.message_user(request, f"{count} {done}.", messages.SUCCESS)
        for detail, count in failed.items():
            self.message_user(request, f"{count} not {done}: {detail}", messages.ERROR)
