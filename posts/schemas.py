"""The request and response bodies of the operations on posts, revisions, media, tags and authors."""

import unicodedata
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, TypeAdapter
from pydantic_core import PydanticCustomError

from blogsite.http.schemas import UNSET, BodyId, Flag, Input, Moment, Output, PageOut, PageQuery, Storable, unique
from posts.content import slugs
from posts.models import PostStatus
from posts.queries import PostSelection
from posts.search.matching import parse_query

MAX_CONTENT_BYTES = 1024 * 1024


def _content(value: str) -> str:
    if len(value.encode()) > MAX_CONTENT_BYTES:
        raise PydanticCustomError("string_too_long", "Content should have at most 1 MiB in UTF-8")
    return value


def _slug(value: str) -> str:
    if not slugs.is_slug(value):
        raise PydanticCustomError(
            "slug_invalid", "Must be 1 to 100 of lower-case letters, digits, _ and single hyphens between them"
        )
    return value


def _tag(value: object) -> object:
    if not isinstance(value, str):
        return value
    return " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFC", value).casefold()).split())


Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), Storable]
Slug = Annotated[
    str,
    Field(max_length=slugs.MAX_LENGTH, description="Lower-case letters of any script, digits, _ and -."),
    Storable,
    AfterValidator(_slug),
]
RequestedSlug = Annotated[str, Field(max_length=slugs.MAX_LENGTH), Storable]
Content = Annotated[str, Field(description="Markdown, up to 1 MiB in UTF-8."), Storable, AfterValidator(_content)]
Excerpt = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), Storable]
AltText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), Storable]
TagName = Annotated[str, Field(min_length=1, max_length=50), Storable, BeforeValidator(_tag)]
"""A tag: trimmed, with single spaces, case-folded and in Unicode's composed form (NFC)."""
TAG: TypeAdapter[str] = TypeAdapter(TagName)
PreviewToken = Annotated[str, Field(max_length=200), Storable]
TagNames = Annotated[list[TagName], Field(max_length=50), AfterValidator(unique)]
Sort = Literal["-published_at", "published_at", "-updated_at", "title"]


class PostCreate(Input):
    """A new post. The content is Markdown."""

    title: Title
    content: Content
    tags: TagNames = []
    slug: Slug | None = Field(default=None, description="Made from the title if it is absent.")
    excerpt: Excerpt | None = Field(default=None, description="Derived from the content if it is absent.")
    published: Flag = False
    published_at: Moment | None = Field(default=None, description="A time in the future schedules the post.")
    cover_image_id: BodyId | None = None


class PostUpdate(Input):
    """Changes to a post, as a JSON merge patch (RFC 7396).

    An absent field keeps its value; null clears the excerpt, the time and the cover image.
    """

    title: Title = UNSET
    content: Content = UNSET
    tags: TagNames = UNSET
    slug: Slug = UNSET
    excerpt: Excerpt | None = None
    published: Flag = UNSET
    published_at: Moment | None = None
    cover_image_id: BodyId | None = None


class Publication(Input):
    """When to publish a post: by default now, or at its own time if that is in the past."""

    published_at: Moment | None = None


class PostFilters(PageQuery):
    """Which posts to list, in which order, and with which fields."""

    tag: list[TagName] = Field(default=[], description="A tag; if it is repeated, the posts have all of these tags.")
    author: Annotated[str, Field(max_length=30), Storable] | None = Field(
        default=None, description="The username of the author."
    )
    status: Literal["published", "draft", "scheduled", "trashed", "all"] = Field(
        default="published", description="The state of the posts; only posts that the caller may see are listed."
    )
    q: Annotated[str, Field(min_length=1, max_length=200), Storable] | None = Field(
        default=None, description='Words and "phrases" that the posts contain; the last word may be incomplete.'
    )
    published_after: Moment | None = None
    published_before: Moment | None = None
    sort: Sort | None = Field(
        default=None,
        description="The order: `-published_at` by default; `-updated_at` for drafts, trashed or all posts; "
        "or the best match first with `q`. Posts without a time come last.",
    )
    include: Literal["content"] | None = Field(default=None, description="`content` adds the content of each post.")
    count: bool = Field(default=False, description="Whether to count all matching posts.")

    def selection(self) -> PostSelection:
        """Return the posts to list, for `posts.queries`."""
        return PostSelection(
            status=None if self.status == "all" else PostStatus(self.status),
            tags=tuple(self.tag),
            author=self.author,
            published_after=self.published_after,
            published_before=self.published_before,
            search_query=parse_query(self.q) if self.q else None,
            with_content=self.include == "content",
        )


class VariantOut(Output):
    """A smaller copy of an image, in WebP."""

    url: str
    width: int
    height: int


class MediaOut(Output):
    """An uploaded image."""

    id: int
    url: str = Field(description="The URL of the image. It stays the same wherever the file is stored.")
    width: int = Field(description="In pixels.")
    height: int
    bytes: int
    content_type: str
    alt_text: str
    variants: list[VariantOut] = Field(
        validation_alias="variant_files", description="From narrow to wide; empty for an animation."
    )
    sha256: str = Field(description="SHA-256 of the uploaded bytes.")
    created_at: datetime


class UploadOut(Output):
    """The result of an upload: the image, and whether it is new."""

    is_new: bool
    media: MediaOut


class MediaPage(PageOut[MediaOut]):
    """A page of uploaded images, newest first."""


class MediaUpload(Input):
    """The text fields of an upload."""

    alt_text: AltText = ""


class MediaUpdate(Input):
    """Changes to an image, as a JSON merge patch (RFC 7396). An absent field keeps its value."""

    alt_text: AltText = UNSET


class MediaDeletion(Input):
    """Whether to delete an image that posts use."""

    force: bool = False


class PostAuthor(Output):
    """The author of a post."""

    id: int
    username: str
    full_name: str


class PostSummary(Output):
    """A post without its content."""

    id: int
    title: str
    slug: str
    excerpt: str = Field(validation_alias="summary")
    tags: list[str]
    published: bool
    published_at: datetime | None
    status: PostStatus
    author: PostAuthor
    cover_image: MediaOut | None
    reading_minutes: int
    created_at: datetime
    updated_at: datetime
    version: int = Field(description="The number of the current version; the first is 1.")
    highlight: str | None = Field(
        description="The passage that `q` found, as safe HTML with `<mark>`; null without `q`."
    )


class PostOut(PostSummary):
    """A post with its content, as Markdown and as safe HTML."""

    content: str
    content_html: str


class RevisionOut(Output):
    """The state of a post after one change."""

    version: int = Field(description="The version of the post in this state; creation is version 1.")
    title: str
    slug: str
    excerpt: str
    content: str
    tags: list[str]
    published: bool
    published_at: datetime | None
    cover_image_id: int | None
    edited_by: PostAuthor | None = Field(description="The user who made the change; null if that user was deleted.")
    created_at: datetime


class RevisionPage(PageOut[RevisionOut]):
    """A page of revisions, newest first."""


class PreviewLink(Output):
    """A URL at which anybody can read a post until it expires, whether the post is published or not."""

    url: str
    expires_at: datetime


class PostPage(PageOut[PostOut | PostSummary]):
    """A page of posts."""

    next: str | None = Field(description="The `cursor` of the next page; null on the last page.")
    count: int | None = Field(
        default=None,
        exclude_if=lambda count: count is None,  # so that the OpenAPI document does not require it
        description="The number of all matching posts, with `count=true` only.",
    )


class TagFilters(PageQuery):
    """Which tags to list."""

    q: TagName | None = Field(default=None, description="The prefix of the tags.")


class TagOut(Output):
    """A tag, with the number of public posts that have it."""

    name: str
    post_count: int


class TagPage(PageOut[TagOut]):
    """A page of tags, ordered by name."""


class AuthorOut(PostAuthor):
    """A user who has public posts, with the number of these posts."""

    bio: str
    post_count: int


class AuthorPage(PageOut[AuthorOut]):
    """A page of authors, ordered by username."""
