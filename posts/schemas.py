"""What clients send and get about posts, tags and authors."""

import unicodedata
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from blogsite.db.compiled_queries import Param
from blogsite.http.schemas import UNSET, Flag, GivenId, Input, Moment, Output, PageQuery, Storable, unique
from posts.content import slugs
from posts.models import PostStatus
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
SlugAsked = Annotated[str, Field(max_length=slugs.MAX_LENGTH), Storable]
Content = Annotated[str, Field(description="Markdown, up to 1 MiB in UTF-8."), Storable, AfterValidator(_content)]
Excerpt = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), Storable]
AltText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), Storable]
TagName = Annotated[str, Field(min_length=1, max_length=50), Storable, BeforeValidator(_tag)]
"""A tag: trimmed, with single spaces, case-folded, in Unicode's composed form (NFC)."""
PreviewToken = Annotated[str, Field(max_length=200), Storable]
TagNames = Annotated[list[TagName], Field(max_length=50), AfterValidator(unique)]
Sort = Literal["-published_at", "published_at", "-updated_at", "title"]


class PostCreate(Input):
    """A new post. The content is Markdown."""

    title: Title
    content: Content
    tags: TagNames = []
    slug: Slug | None = Field(default=None, description="Made from the title if absent.")
    excerpt: Excerpt | None = Field(default=None, description="The beginning of the content if absent.")
    published: Flag = False
    published_at: Moment | None = Field(default=None, description="A time in the future schedules the post.")
    cover_image_id: GivenId | None = None


class PostUpdate(Input):
    """A JSON merge patch (RFC 7396): what is absent stays; null clears the excerpt, the time and the cover image."""

    title: Title = UNSET
    content: Content = UNSET
    tags: TagNames = UNSET
    slug: Slug = UNSET
    excerpt: Excerpt | None = None
    published: Flag = UNSET
    published_at: Moment | None = None
    cover_image_id: GivenId | None = None


class Publication(Input):
    """When to publish. Absent: now, unless the post has a time in the past."""

    published_at: Moment | None = None


class PostFilters(PageQuery):
    """Which posts to list, in what order, and how much of each."""

    tag: list[TagName] = Field(default=[], description="Repeated: posts that have all of them.")
    author: Annotated[str, Field(max_length=30), Storable] | None = Field(default=None, description="A username.")
    status: Literal["published", "draft", "scheduled", "trashed", "all"] = Field(
        default="published", description="Of the others than `published`, what the caller may see."
    )
    q: Annotated[str, Field(min_length=1, max_length=200), Storable] | None = Field(
        default=None, description='Words and "phrases" that a post has, all of them; the last word may be a beginning.'
    )
    published_after: Moment | None = None
    published_before: Moment | None = None
    sort: Sort | None = Field(
        default=None,
        description="`-published_at`, but `-updated_at` for drafts and for all, and the best match "
        "with `q`. No time sorts last.",
    )
    include: Literal["content"] | None = Field(default=None, description="`content` adds the text of each post.")
    count: bool = Field(default=False, description="Whether to count all matching posts.")

    def conditions(self) -> tuple[tuple[str, Any], ...]:
        """The arguments of `PostQuerySet.matching`, for a question (`blogsite.db.compiled_queries`)."""
        names = ("author", "published_after", "published_before")
        given: tuple[tuple[str, Any], ...]
        given = tuple((name, Param(value)) for name in names if (value := getattr(self, name)) is not None)
        if self.tag:
            given = (*given, ("tag", tuple(map(Param, self.tag))))
        return (*given, ("q", Param(parse_query(self.q)))) if self.q else given


class VariantOut(Output):
    """An image as WebP, in one of the widths."""

    url: str
    width: int
    height: int


class MediaOut(Output):
    """An uploaded image, without its metadata."""

    id: int
    url: str = Field(description="An address below that of the blog, which stays the same wherever the file is stored.")
    width: int = Field(description="In pixels.")
    height: int
    bytes: int
    content_type: str
    alt_text: str
    variants: list[VariantOut] = Field(
        validation_alias="variant_files", description="Narrow to wide; none of an animation."
    )
    sha256: str = Field(description="Of what was uploaded.")
    created_at: datetime


class UploadOut(Output):
    """What became of an upload."""

    is_new: bool
    media: MediaOut


class MediaPage(Output):
    """A page of uploaded images, the newest first."""

    items: list[MediaOut]
    next: str | None


class MediaUpload(Input):
    """What comes with a file."""

    alt_text: AltText = ""


class MediaUpdate(Input):
    """A JSON merge patch (RFC 7396): what is absent stays."""

    alt_text: AltText = UNSET


class Forced(Input):
    """Whether to do what would be refused."""

    force: bool = False


class PostAuthor(Output):
    """Who wrote a post."""

    id: int
    username: str
    full_name: str


class PostSummary(Output):
    """A post in a list."""

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
    version: int = Field(description="Counts the changes, from 1.")
    highlight: str | None = Field(description="Where the search `q` found the post: safe HTML with `<mark>`.")


class PostOut(PostSummary):
    """A post with its text: the source in Markdown, and the same as safe HTML."""

    content: str
    content_html: str


class RevisionOut(Output):
    """A post as it was after one change."""

    version: int = Field(description="The version of the post that this is. Creation is 1.")
    title: str
    slug: str
    excerpt: str
    content: str
    tags: list[str]
    published: bool
    published_at: datetime | None
    cover_image_id: int | None
    edited_by: PostAuthor | None = Field(description="Who made the change; null when that user is gone.")
    created_at: datetime


class RevisionPage(Output):
    """A page of revisions, the newest first."""

    items: list[RevisionOut]
    next: str | None


class PreviewLink(Output):
    """An address at which anybody may read a post until a time, whatever its state."""

    url: str
    expires_at: datetime


class PostPage(Output):
    """A page of posts."""

    items: list[PostOut | PostSummary]
    next: str | None = Field(description="The `cursor` of the next page; null on the last.")
    count: int | None = Field(default=None, exclude_if=lambda count: count is None, description="Only with count=true.")


class TagFilters(PageQuery):
    """Which tags to list."""

    q: TagName | None = Field(default=None, description="The beginning of the tag.")


class TagOut(Output):
    """A tag, and how many public posts have it."""

    name: str
    post_count: int


class TagPage(Output):
    """A page of tags, by name."""

    items: list[TagOut]
    next: str | None


class AuthorOut(Output):
    """A user who has public posts."""

    id: int
    username: str
    full_name: str
    bio: str
    post_count: int


class AuthorPage(Output):
    """A page of authors, by username."""

    items: list[AuthorOut]
    next: str | None
