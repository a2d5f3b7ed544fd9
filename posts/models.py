"""Posts with their revisions, former slugs and tag index, uploaded images, and the scopes of their QuerySets."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import CheckConstraint, Count, F, Index, Q, UniqueConstraint
from django.utils import timezone

from accounts.models import User
from blogsite.db.compiled_queries import CurrentTime, Placeholder, as_expression
from blogsite.db.loading import FastLoadingModel, HasPassed
from posts.access import Access
from posts.search import matching


class PostStatus(models.TextChoices):
    """The state of a post, derived from `trashed_at`, `published`, `published_at` and the current time."""

    DRAFT = "draft", "Draft"
    SCHEDULED = "scheduled", "Scheduled"
    PUBLISHED = "published", "Published"
    TRASHED = "trashed", "Trashed"


_NOT_TRASHED = Q(trashed_at__isnull=True)
_PUBLIC_OR_SCHEDULED = Q(published=True) & _NOT_TRASHED
_PUBLISHED = _PUBLIC_OR_SCHEDULED & Q(HasPassed("published_at"))


class PostQuerySet(models.QuerySet["Post"]):
    """The scopes of posts."""

    def visible_to(self, access: Access) -> Self:
        """Posts that a user with this access may see: the public ones and their own, or all; also trashed ones."""
        if access.sees_all:
            return self
        return self.published() if access.user_id is None else self.filter(_PUBLISHED | Q(author=access.user_id))

    def changeable_by(self, access: Access) -> Self:
        """Posts that a user with this access may change: their own, or all; also trashed ones."""
        return self if access.sees_all else self.filter(author=access.user_id)

    def published(self) -> Self:
        """Posts that are public now."""
        return self.filter(_PUBLISHED)

    def not_trashed(self) -> Self:
        """Posts that are not in the trash."""
        return self.filter(_NOT_TRASHED)

    def with_status(self, status: PostStatus) -> Self:
        """Posts in this state."""
        match status:
            case PostStatus.PUBLISHED:
                return self.published()
            case PostStatus.SCHEDULED:
                return self.filter(_PUBLIC_OR_SCHEDULED, published_at__gt=CurrentTime())
            case PostStatus.DRAFT:
                return self.filter(_NOT_TRASHED, published=False)
            case PostStatus.TRASHED:
                return self.exclude(_NOT_TRASHED)

    def by(self, username: str) -> Self:
        """Posts of the author with this username. One id is compared, so that an index also serves the order."""
        return self.filter(author=User.objects.named(username).values("pk")[:1])

    def tagged(self, *tags: str) -> Self:
        """Posts that have all these tags.

        The aliases `tag_time` and `tag_post` are the time and the id of a published post, from the tag index: an order
        by them is the order of that index, whereas an order by the post's own columns would sort all posts of a tag.
        """
        posts = self
        for number, tag in enumerate(tags):
            posts = posts.filter(tag_index__name=tag)
            if number == 0:
                posts = posts.alias(tag_time=F("tag_index__published_at"), tag_post=F("tag_index__post"))
        return posts

    def found_by(self, search_query: str | Placeholder, candidate_limit: int | None = None) -> Self:
        """Posts that match a full-text query (`posts.search`), each with its `rank` and its `snippet`.

        With a `candidate_limit`, only so many of the best matches are looked up.
        """
        posts: Self = matching.with_matches(self, as_expression(search_query), candidate_limit)
        return posts

    def with_summary(self) -> Self:
        """Load what `PostSummary` shows."""
        return self.with_content().defer("content", "content_html")

    def with_content(self) -> Self:
        """Load what `PostOut` shows."""
        post = (field.attname for field in Post._meta.concrete_fields)
        cover = (f"cover_image__{field.attname}" for field in Media._meta.concrete_fields)
        author = ("author__username", "author__full_name")
        return self.select_related("author", "cover_image").only(*post, *cover, *author)

    def using_media(self, media: "Media") -> Self:
        """Posts in any state with this image as their cover, or with the URL of one of its files in their content."""
        return self.filter(Q(cover_image=media) | Q(content__contains=media.stem))


class MediaQuerySet(models.QuerySet["Media"]):
    """The scopes of uploaded images."""

    def visible_to(self, access: Access) -> Self:
        """Images that a user with this access may see and change: their own, or all."""
        if access.sees_all:
            return self
        # Without a user, `author=None` would select the images of deleted users.
        return self.none() if access.user_id is None else self.filter(author=access.user_id)


class Media(FastLoadingModel):
    """An uploaded image. Anybody who knows the random names of its files may load them (`posts.media`)."""

    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="media")
    name = models.CharField(max_length=50, unique=True)
    content_type = models.CharField(max_length=20)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    bytes = models.PositiveIntegerField()
    stored_bytes = models.PositiveIntegerField()  # the size of all files together
    alt_text = models.CharField(max_length=500, blank=True, help_text="Describes the image.")
    variants = models.JSONField()  # pairs of a width and a height
    sha256 = models.CharField(max_length=64)  # of the uploaded bytes
    created_at = models.DateTimeField(default=timezone.now)

    objects = MediaQuerySet.as_manager()

    class Meta:
        verbose_name = "image"
        constraints = [UniqueConstraint(fields=["author", "sha256"], name="posts_media_author_sha256_unique")]

    def __str__(self) -> str:
        return self.alt_text or self.name

    @property
    def stem(self) -> str:
        """The prefix of the names of all its files."""
        return self.name.partition(".")[0]

    @property
    def url(self) -> str:
        return f"{settings.MEDIA_URL}{self.name}"

    @property
    def variant_files(self) -> list["Variant"]:
        """The variants, from narrow to wide."""
        return [Variant(f"{self.stem}-{width}.webp", width, height) for width, height in self.variants]

    @property
    def file_names(self) -> list[str]:
        return [self.name, *(variant.name for variant in self.variant_files)]


@dataclass(frozen=True)
class Variant:
    """A smaller copy of an image, in WebP. Its size is in pixels."""

    name: str
    width: int
    height: int

    @property
    def url(self) -> str:
        return f"{settings.MEDIA_URL}{self.name}"


class Post(FastLoadingModel):
    """A post. It is public while it is `published`, its `published_at` is not in the future and it is not trashed."""

    title = models.CharField(max_length=200)
    slug = models.CharField(max_length=100, blank=True, help_text="Empty: made from the title.")
    content = models.TextField(blank=True, help_text="Markdown.")
    excerpt = models.CharField(max_length=500, blank=True, help_text="Empty: derived from the content.")
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

    # Derived from the content when it is saved, so that no request has to render it.
    content_html = models.TextField(editable=False)
    derived_excerpt = models.CharField(max_length=500, editable=False)
    reading_minutes = models.PositiveIntegerField(editable=False)

    objects = PostQuerySet.as_manager()
    snippet: str | None = None  # the passage that a search found

    class Meta:
        constraints = [
            # The slug of a post in the trash is free for other posts.
            UniqueConstraint(fields=["slug"], name="posts_post_slug_unique", condition=_NOT_TRASHED),
            CheckConstraint(
                condition=Q(published=False) | Q(published_at__isnull=False), name="posts_post_published_has_time"
            ),
            CheckConstraint(condition=~Q(title="") & ~Q(slug=""), name="posts_post_title_slug_not_empty"),
        ]
        indexes = [
            # Partial indexes: no ordinary index on SQLite serves the condition `WHERE published`.
            Index(fields=["-published_at", "-id"], name="posts_post_public", condition=_PUBLIC_OR_SCHEDULED),
            Index(
                fields=["author", "-published_at", "-id"],
                name="posts_post_author_public",
                condition=_PUBLIC_OR_SCHEDULED,
            ),
            Index(fields=["title", "id"], name="posts_post_title_public", condition=_PUBLIC_OR_SCHEDULED),
            Index(fields=["-updated_at", "-id"], name="posts_post_updated"),
            Index(fields=["trashed_at"], name="posts_post_trashed", condition=Q(trashed_at__isnull=False)),
            Index(fields=["cover_image"], name="posts_post_cover", condition=Q(cover_image__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def status(self) -> PostStatus:
        if self.trashed_at is not None:
            return PostStatus.TRASHED
        if not self.published or self.published_at is None:
            return PostStatus.DRAFT
        # Not `timezone.now`, which reads the settings at each call: lists evaluate this for each post.
        return PostStatus.SCHEDULED if self.published_at > datetime.now(UTC) else PostStatus.PUBLISHED

    @property
    def highlight(self) -> str | None:
        """The passage that a search found, as safe HTML, or None without a search."""
        return matching.highlight_html(self.snippet)

    @property
    def summary(self) -> str:
        """The excerpt that the author wrote, or the one derived from the content."""
        return self.excerpt or self.derived_excerpt


class RendererState(models.Model):
    """The version of the renderer that made the HTML of all posts: one row, or none before the first rebuild."""

    version = models.PositiveIntegerField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.version)


class RevisionQuerySet(models.QuerySet["Revision"]):
    """The scopes of revisions."""

    def with_editor(self) -> Self:
        """Load what `RevisionOut` shows."""
        return self.select_related("edited_by").only(
            *(field.attname for field in Revision._meta.concrete_fields), "edited_by__username", "edited_by__full_name"
        )


class Revision(FastLoadingModel):
    """The state of a post after one change. Version 1 is the creation."""

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
        constraints = [UniqueConstraint(fields=["post", "version"], name="posts_revision_post_version_unique")]
        indexes = [Index(fields=["cover_image"], name="posts_revision_cover", condition=Q(cover_image__isnull=False))]

    def __str__(self) -> str:
        return f"{self.title} ({self.version})"


class FormerSlug(models.Model):
    """A slug that a post had before. Requests for it are redirected to the current slug."""

    slug = models.CharField(max_length=100, unique=True)
    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="former_slugs")

    def __str__(self) -> str:
        return self.slug


class SearchEntry(models.Model):
    """A post's entry in the full-text index, which database triggers maintain (`posts.triggers`, `posts.search`)."""

    post = models.OneToOneField(
        Post, primary_key=True, db_column="rowid", on_delete=models.DO_NOTHING, related_name="search"
    )
    rank = models.FloatField()  # computed by `posts.search` for the matches of a query

    class Meta:
        managed = False
        db_table = matching.TABLE

    def __str__(self) -> str:
        return f"post {self.pk}"


class PostTagQuerySet(models.QuerySet["PostTag"]):
    """The scopes of the tag index."""

    def public(self) -> Self:
        """Entries of posts that are public now."""
        return self.filter(published_at__lte=CurrentTime())

    def counted(self) -> models.QuerySet["PostTag", tuple[str, int]]:
        """Rows of (name, post_count)."""
        return self.values("name").annotate(post_count=Count("post")).values_list("name", "post_count", named=True)


class PostTag(models.Model):
    """An entry of the index of `Post.tags`, which database triggers maintain (`posts.triggers`): never write it."""

    name = models.CharField(max_length=50)
    post = models.ForeignKey(Post, on_delete=models.DO_NOTHING, db_index=False, related_name="tag_index")
    published_at = models.DateTimeField(null=True)  # null for drafts and trashed posts

    objects = PostTagQuerySet.as_manager()

    class Meta:
        constraints = [UniqueConstraint(fields=["post", "name"], name="posts_posttag_post_name_unique")]
        indexes = [Index(fields=["name", "-published_at", "-post"], name="posts_posttag_public")]

    def __str__(self) -> str:
        return self.name
