"""The forms of the admin pages of posts, tags and images."""

import csv
from typing import Any

import pydantic
from django import forms
from django.utils import timezone

from posts.media.storage import EXTENSIONS
from posts.models import Media, Post
from posts.schemas import TAG, PostCreate


class TagsField(forms.CharField):
    """Tags in one line, separated by commas. A tag that contains a comma is written in double quotes."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(_quote, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override] # the field's value is a list
        return [tag for tag in map(str.strip, next(csv.reader([value or ""], skipinitialspace=True))) if tag]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(data) != (initial or []))


def _quote(tag: str) -> str:
    return '"' + tag.replace('"', '""') + '"' if "," in tag or tag.startswith('"') else tag


class PostForm(forms.ModelForm[Post]):
    """A post, validated by the same schema as in the API."""

    tags = TagsField(required=False, help_text="Separated by commas.", widget=forms.TextInput(attrs={"size": 80}))
    read_version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    """The version that the form shows. Saving is refused if the post has a newer version by then."""

    class Meta:
        model = Post
        fields = ("title", "slug", "content", "excerpt", "tags", "cover_image", "author", "published", "published_at")
        widgets = {
            "title": forms.TextInput(attrs={"size": 80}),
            "slug": forms.TextInput(attrs={"size": 80}),
            "content": forms.Textarea(attrs={"rows": 30, "cols": 100}),
            "excerpt": forms.Textarea(attrs={"rows": 3, "cols": 100}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("read_version", self.instance.version)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name in ("content", "excerpt"):
            if name in cleaned:
                cleaned[name] = cleaned[name].replace("\r\n", "\n")  # browsers send \n as \r\n
        if cleaned.get("published") and "published_at" in cleaned:
            cleaned["published_at"] = cleaned["published_at"] or timezone.now()
        fields = {name: cleaned[name] for name in PostCreate.model_fields if name in cleaned}
        fields["slug"] = cleaned["slug"] = cleaned.get("slug") or self.instance.slug or None
        if fields.get("published_at"):
            fields["published_at"] = fields["published_at"].isoformat()
        try:
            cleaned |= PostCreate.model_validate(fields).model_dump()
        except pydantic.ValidationError as error:
            for problem in error.errors():
                field = str(problem["loc"][0])
                if field not in self.errors:
                    self.add_error(field, problem["msg"])
        return cleaned


class RenameTagForm(forms.Form):
    """A tag and its new name."""

    old = forms.CharField(label="Tag", max_length=50)
    new = forms.CharField(label="New name", max_length=50, help_text="If this tag exists, the two tags are merged.")

    def clean(self) -> dict[str, str]:
        cleaned = {}
        for name, value in (super().clean() or self.cleaned_data).items():
            try:
                cleaned[name] = TAG.validate_python(value)
            except pydantic.ValidationError as error:
                self.add_error(name, error.errors()[0]["msg"])
        return cleaned


class UploadForm(forms.ModelForm[Media]):
    """The file and the alternative text of a new image."""

    file = forms.FileField(
        help_text="JPEG, PNG, WebP or GIF, up to 10 MiB.",
        widget=forms.FileInput(attrs={"accept": ",".join(EXTENSIONS)}),
    )

    class Meta:
        model = Media
        fields = ("alt_text",)
        widgets = {"alt_text": forms.TextInput(attrs={"size": 80})}
