"""The post, the index of its tags, and the questions that can be asked of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Count, Exists, F, OuterRef, Q, Subquery
from django.utils import timezone

from accounts.models import User, UserQuerySet, Viewer
from blogsite.db.compiled_queries import CurrentTime, Placeholder, as_expression
from blogsite.db.loading import FastLoadingModel, HasPassed
from posts.search import matching

SUMMARY = (
    "title",
    "slug",
    "excerpt",
    "derived_excerpt",
    "tags",
    "published",
    "published_at",
    "trashed_at",
    "reading_minutes",
    "created_at",
    "updated_at",
    "version",
    "author__username",
    "author__full_name",
    *(
        f"cover_image__{name}"
        for name in ("name", "width", "height", "bytes", "content_type", "alt_text", "variants", "sha256", "created_at")
    ),
)
CONTENT = ("content", "content_html")
MEDIA_URL = "/media/"


NEXT_PUBLICATION = (
    "SELECT MIN(published_at) FROM posts_post WHERE published AND trashed_at IS NULL AND published_at > %s"
)
"""SQL of the next moment at which a scheduled post becomes public; on SQLite and on PostgreSQL."""


class PostStatus(models.TextChoices):
    """What a post is, by `trashed_at`, `published` and the clock."""

    DRAFT = "draft", "Draft"
    SCHEDULED = "scheduled", "Scheduled"
    PUBLISHED = "published", "Published"
    TRASHED = "trashed", "Trashed"


_KEPT = Q(trashed_at__isnull=True)
_INDEXED = Q(published=True) & _KEPT
_PUBLISHED = _INDEXED & Q(HasPassed("published_at"))


class PostQuerySet(models.QuerySet["Post"]):
    """Questions about posts."""

    def published(self) -> Self:
        """What the public may see, now."""
        return self.filter(_PUBLISHED)

    def scheduled(self) -> Self:
        return self.filter(_INDEXED, published_at__gt=CurrentTime())

    def drafts(self) -> Self:
        return self.filter(_KEPT, published=False)

    def kept(self) -> Self:
        """What is not in the trash."""
        return self.filter(_KEPT)

    def trashed(self) -> Self:
        return self.exclude(_KEPT)

    def with_status(self, status: str) -> Self:
        """Posts of a `PostStatus`, or of "all"."""
        match status:
            case PostStatus.PUBLISHED:
                return self.published()
            case PostStatus.SCHEDULED:
                return self.scheduled()
            case PostStatus.DRAFT:
                return self.drafts()
            case PostStatus.TRASHED:
                return self.trashed()
            case _:
                return self

    def visible_to(self, viewer: Viewer, status: str = "all") -> Self:
        """What `viewer` may see: the public posts; an author's own; everything, for editors and admins; also the trash.

        Of these, the posts of a `PostStatus`, or "all".
        """
        if status == PostStatus.PUBLISHED:
            return self.published()  # everybody may see these
        if not (isinstance(viewer, User) and viewer.sees_unpublished):
            return self.published().with_status(status)
        visible = self if viewer.is_editor else self.filter(_PUBLISHED | Q(author=viewer.pk))
        return visible.with_status(status)

    def changeable_by(self, user: User) -> Self:
        """Posts that `user` may change: all for editors and admins, their own for authors."""
        return self if user.is_editor else self.filter(author=user)

    def by(self, username: str) -> Self:
        """Posts of the author of this name. One id, so that an index on the author also serves the order."""
        return self.filter(author=User.objects.named(username).values("pk")[:1])

    def tagged(self, *tags: str) -> Self:
        """Posts that have all of these tags.

        `tag_time` and `tag_post` are the time and the id of a published post again, in an order that the index of tags
        has: by those of the post, all posts of a tag would be sorted.
        """
        posts = self
        for number, tag in enumerate(tags):
            posts = posts.filter(tag_index__name=tag)
            if number == 0:
                posts = posts.alias(tag_time=F("tag_index__published_at"), tag_post=F("tag_index__post"))
        return posts

    def matching(
        self,
        *,
        author: str | None = None,
        tag: Sequence[str] = (),
        published_after: datetime | None = None,
        published_before: datetime | None = None,
        q: str | Placeholder | None = None,
        among: int | None = None,
    ) -> Self:
        """Posts that meet every condition that is given. The bounds of time are exclusive.

        With `q`, a query of `posts.search`, each has its `rank` and its `snippet`; they are looked for `among` so many
        of the best matches, or among all.
        """
        posts = self.tagged(*tag)
        if q is not None:
            posts = matching.with_matches(posts, as_expression(q), among)
        if author is not None:
            posts = posts.by(author)
        if published_after is not None:
            posts = posts.filter(published_at__gt=published_after)
        if published_before is not None:
            posts = posts.filter(published_at__lt=published_before)
        return posts

    def with_summary(self) -> Self:
        """Load what `PostSummary` shows."""
        return self.select_related("author", "cover_image").only(*SUMMARY)

    def with_content(self) -> Self:
        """Load what `PostOut` shows."""
        return self.select_related("author", "cover_image").only(*SUMMARY, *CONTENT)

    def showing(self, media: "Media") -> Self:
        """Posts of any state whose cover image this is, or whose text has the address of one of its files."""
        return self.filter(Q(cover_image=media) | Q(content__contains=media.stem))


class MediaQuerySet(models.QuerySet["Media"]):
    """Questions about uploaded images."""

    def visible_to(self, viewer: User) -> Self:
        """Everything for editors and admins, and for others what they uploaded."""
        return self if viewer.is_editor else self.filter(author=viewer)


class Media(FastLoadingModel):
    """An uploaded image. Its files are as public as their names, which nobody can guess (`posts.media`)."""

    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="media")
    name = models.CharField(max_length=50, unique=True)
    content_type = models.CharField(max_length=20)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    bytes = models.PositiveIntegerField()
    stored_bytes = models.PositiveIntegerField()  # of all files together
    alt_text = models.CharField(max_length=500, blank=True, help_text="For those who do not see the image.")
    variants = models.JSONField()  # pairs of a width and a height
    sha256 = models.CharField(max_length=64)  # of what was uploaded
    created_at = models.DateTimeField(default=timezone.now)

    objects = MediaQuerySet.as_manager()

    class Meta:
        verbose_name = "image"
        constraints = [models.UniqueConstraint(fields=["author", "sha256"], name="posts_media_author_sha256_unique")]

    def __str__(self) -> str:
        return self.alt_text or self.name

    @property
    def stem(self) -> str:
        """What the names of all its files begin with."""
        return self.name.partition(".")[0]

    @property
    def url(self) -> str:
        return f"{MEDIA_URL}{self.name}"

    @property
    def variant_files(self) -> list["Variant"]:
        """The files of the variants, from narrow to wide."""
        return [Variant(f"{self.stem}-{width}.webp", width, height) for width, height in self.variants]

    @property
    def file_names(self) -> list[str]:
        return [self.name, *(variant.name for variant in self.variant_files)]


@dataclass(frozen=True)
class Variant:
    """A smaller file of an image. Its width and height are in pixels."""

    name: str
    width: int
    height: int

    @property
    def url(self) -> str:
        return f"{MEDIA_URL}{self.name}"


class Post(FastLoadingModel):
    """A text by an author. It is public while `published` is true and `published_at` is not in the future."""

    title = models.CharField(max_length=200)
    slug = models.CharField(max_length=100, blank=True, help_text="The name in addresses; empty: made from the title.")
    content = models.TextField(blank=True, help_text="Markdown.")
    excerpt = models.CharField(max_length=500, blank=True, help_text="Empty: the beginning of the content.")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="posts")
    tags = models.JSONField(default=list, blank=True)
    published = models.BooleanField(default=False)
    published_at = models.DateTimeField(null=True, blank=True, help_text="A time in the future schedules the post.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    cover_image = models.ForeignKey(
        Media, on_delete=models.PROTECT, null=True, blank=True, related_name="posts", db_index=False
    )
    version = models.PositiveIntegerField(default=1, editable=False)
    trashed_at = models.DateTimeField(null=True, editable=False)

    # Derived from the content when it is written, so that no read renders.
    content_html = models.TextField(editable=False)
    derived_excerpt = models.CharField(max_length=500, editable=False)
    reading_minutes = models.PositiveIntegerField(editable=False)

    objects = PostQuerySet.as_manager()
    snippet: str | None = None  # where a search found it

    class Meta:
        constraints = [
            # A post in the trash gives its slug away.
            models.UniqueConstraint(fields=["slug"], name="posts_post_slug_unique", condition=_KEPT),
            models.CheckConstraint(
                condition=Q(published=False) | Q(published_at__isnull=False), name="posts_post_published_has_time"
            ),
            models.CheckConstraint(condition=~Q(title="") & ~Q(slug=""), name="posts_post_title_slug_not_empty"),
        ]
        indexes = [
            # Partial: `WHERE published` alone is a condition that no ordinary index serves on SQLite.
            models.Index(fields=["-published_at", "-id"], name="posts_post_public", condition=_INDEXED),
            models.Index(
                fields=["author", "-published_at", "-id"], name="posts_post_author_public", condition=_INDEXED
            ),
            models.Index(fields=["title", "id"], name="posts_post_title_public", condition=_INDEXED),
            models.Index(fields=["-updated_at", "-id"], name="posts_post_updated"),
            models.Index(fields=["trashed_at"], name="posts_post_trashed", condition=Q(trashed_at__isnull=False)),
            models.Index(fields=["cover_image"], name="posts_post_cover", condition=Q(cover_image__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def status(self) -> PostStatus:
        if self.trashed_at is not None:
            return PostStatus.TRASHED
        if not self.published or self.published_at is None:
            return PostStatus.DRAFT
        # Not `timezone.now`, which looks at the settings each time: lists ask this for each post.
        return PostStatus.SCHEDULED if self.published_at > datetime.now(UTC) else PostStatus.PUBLISHED

    @property
    def highlight(self) -> str | None:
        """Where a search found the post, as safe HTML."""
        return matching.highlight_html(self.snippet)

    @property
    def summary(self) -> str:
        """The excerpt that was given, or the one derived from the content."""
        return self.excerpt or self.derived_excerpt


class RevisionQuerySet(models.QuerySet["Revision"]):
    """Questions about revisions."""

    def with_editor(self) -> Self:
        """Load what `RevisionOut` shows."""
        return self.select_related("edited_by").only(
            *(field.attname for field in Revision._meta.concrete_fields), "edited_by__username", "edited_by__full_name"
        )


class Revision(FastLoadingModel):
    """A post as it was after one change. Creation is version 1."""

    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="revisions", db_index=False)
    version = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    slug = models.CharField(max_length=100)
    excerpt = models.CharField(max_length=500, blank=True)
    content = models.TextField(blank=True)
    tags = models.JSONField(default=list)
    published = models.BooleanField()
    published_at = models.DateTimeField(null=True)
    cover_image = models.ForeignKey(Media, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    edited_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    objects = RevisionQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["post", "version"], name="posts_revision_post_version_unique")]
        indexes = [
            models.Index(fields=["cover_image"], name="posts_revision_cover", condition=Q(cover_image__isnull=False))
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.version})"


class FormerSlug(models.Model):
    """A slug that a post had before: whoever asks for it is sent on."""

    slug = models.CharField(max_length=100, unique=True)
    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="former_slugs")

    def __str__(self) -> str:
        return self.slug


class SearchEntry(models.Model):
    """A post's entry in the full-text index, kept by the database itself (`posts.triggers`, `posts.search`)."""

    post = models.OneToOneField(
        Post, primary_key=True, db_column="rowid", on_delete=models.DO_NOTHING, related_name="search"
    )
    rank = models.FloatField()  # of what `posts.search` has found

    class Meta:
        managed = False
        db_table = matching.TABLE

    def __str__(self) -> str:
        return f"post {self.pk}"


class PostTagQuerySet(models.QuerySet["PostTag"]):
    """Questions about tags."""

    def public(self) -> Self:
        return self.filter(published_at__lte=CurrentTime())

    def starting_with(self, beginning: str) -> Self:
        return self.filter(name__startswith=beginning)

    def counted(self) -> models.QuerySet["PostTag", tuple[str, int]]:
        """Rows of (name, post_count)."""
        return self.values("name").annotate(post_count=Count("post")).values_list("name", "post_count", named=True)


class PostTag(models.Model):
    """The index of `Post.tags`, derived by the database itself: read it, and never write it (`posts.triggers`)."""

    name = models.CharField(max_length=50)
    post = models.ForeignKey(Post, on_delete=models.DO_NOTHING, db_index=False, related_name="tag_index")
    published_at = models.DateTimeField(null=True)  # of published posts alone

    objects = PostTagQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["post", "name"], name="posts_posttag_post_name_unique")]
        indexes = [models.Index(fields=["name", "-published_at", "-post"], name="posts_posttag_public")]

    def __str__(self) -> str:
        return self.name


def public_authors() -> UserQuerySet:
    """The users who have public posts, each with their `post_count`."""
    public = Post.objects.published().filter(author=OuterRef("pk")).order_by()
    counted = public.values("author").annotate(count=Count("pk")).values("count")
    return (
        User.objects.filter(Exists(public)).annotate(post_count=Subquery(counted)).only("username", "full_name", "bio")
    )
