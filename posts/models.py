"""The post, the index of its tags, and the questions that can be asked of them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Self, TypeGuard

from django.conf import settings
from django.db import models
from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.utils import timezone
from django.utils.functional import cached_property

from accounts.models import User, UserQuerySet, Viewer
from blogsite.loading import CurrentMoment, HasPassed, QuicklyLoaded

SUMMARY = (
    "title",
    "slug",
    "excerpt",
    "derived_excerpt",
    "tags",
    "published",
    "published_at",
    "reading_minutes",
    "created_at",
    "updated_at",
    "version",
    "author__username",
    "author__full_name",
)
CONTENT = ("content", "content_html")


NEXT_PUBLICATION = "SELECT MIN(published_at) FROM posts_post WHERE published AND published_at > %s"
"""SQL of the next moment at which a scheduled post becomes public; on SQLite and on PostgreSQL."""


class PostStatus(models.TextChoices):
    """What a post is, by `published` and the clock."""

    DRAFT = "draft", "Draft"
    SCHEDULED = "scheduled", "Scheduled"
    PUBLISHED = "published", "Published"


_PUBLISHED = Q(published=True) & Q(HasPassed("published_at"))


def _sees_more(viewer: Viewer) -> TypeGuard[User]:
    """Whether `viewer` may see posts that are not public."""
    return isinstance(viewer, User) and viewer.is_active and viewer.is_author


class PostQuerySet(models.QuerySet["Post"]):
    """Questions about posts."""

    def published(self) -> Self:
        """What the public may see, now."""
        return self.filter(_PUBLISHED)

    def scheduled(self) -> Self:
        return self.filter(published=True, published_at__gt=CurrentMoment())

    def drafts(self) -> Self:
        return self.filter(published=False)

    def with_status(self, status: str) -> Self:
        """Posts of a `PostStatus`, or of "all"."""
        match status:
            case PostStatus.PUBLISHED:
                return self.published()
            case PostStatus.SCHEDULED:
                return self.scheduled()
            case PostStatus.DRAFT:
                return self.drafts()
            case _:
                return self

    def visible_to(self, viewer: Viewer, status: str = "all") -> Self:
        """What `viewer` may see: the public posts; an author's own; everything, for editors and admins.

        Of these, the posts of a `PostStatus`, or "all".
        """
        if status == PostStatus.PUBLISHED:
            return self.published()  # everybody may see these
        if not _sees_more(viewer):
            return self.published().with_status(status)
        visible = self if viewer.is_editor else self.filter(_PUBLISHED | Q(author=viewer))
        return visible.with_status(status)

    def by(self, username: str) -> Self:
        """Posts of the author of this name. One id, so that an index on the author also serves the order."""
        return self.filter(author=User.objects.named(username).values("pk")[:1])

    def tagged(self, *tags: str) -> Self:
        """Posts that have all of these tags."""
        posts = self
        for tag in tags:
            posts = posts.filter(tag_index__name=tag)
        return posts

    def matching(
        self,
        *,
        author: str | None = None,
        tag: Sequence[str] = (),
        published_after: datetime | None = None,
        published_before: datetime | None = None,
    ) -> Self:
        """Posts that meet every condition that is given. The bounds of time are exclusive."""
        posts = self.tagged(*tag)
        if author is not None:
            posts = posts.by(author)
        if published_after is not None:
            posts = posts.filter(published_at__gt=published_after)
        if published_before is not None:
            posts = posts.filter(published_at__lt=published_before)
        return posts

    def with_summary(self) -> Self:
        """Load what `PostSummary` shows."""
        return self.select_related("author").only(*SUMMARY)

    def with_content(self) -> Self:
        """Load what `PostOut` shows."""
        return self.select_related("author").only(*SUMMARY, *CONTENT)


class PostManager(models.Manager["Post"]):
    """What nearly every request asks of `Post.objects` is built once, and copied: a fifth of the work for one post."""

    def published(self) -> PostQuerySet:
        return self._published.all()

    def visible_to(self, viewer: Viewer, status: str = "all") -> PostQuerySet:
        only_published = status == PostStatus.PUBLISHED or (status == "all" and not _sees_more(viewer))
        return self.published() if only_published else self._queryset().visible_to(viewer, status)

    @cached_property
    def _published(self) -> PostQuerySet:
        return self._queryset().published()

    def _queryset(self) -> PostQuerySet:
        return PostQuerySet(self.model, using=self._db)


class Post(QuicklyLoaded):
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
    version = models.PositiveIntegerField(default=1, editable=False)

    # Derived from the content when it is written, so that no read renders.
    content_html = models.TextField(editable=False)
    derived_excerpt = models.CharField(max_length=500, editable=False)
    reading_minutes = models.PositiveIntegerField(editable=False)

    objects = PostManager.from_queryset(PostQuerySet)()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="posts_post_slug_unique"),
            models.CheckConstraint(
                condition=Q(published=False) | Q(published_at__isnull=False), name="posts_post_published_has_time"
            ),
            models.CheckConstraint(condition=~Q(title="") & ~Q(slug=""), name="posts_post_title_slug_not_empty"),
        ]
        indexes = [
            # Partial: `WHERE published` alone is a condition that no ordinary index serves on SQLite.
            models.Index(fields=["-published_at", "-id"], name="posts_post_public", condition=Q(published=True)),
            models.Index(
                fields=["author", "-published_at", "-id"], name="posts_post_author_public", condition=Q(published=True)
            ),
            models.Index(fields=["title", "id"], name="posts_post_title_public", condition=Q(published=True)),
            models.Index(fields=["-updated_at", "-id"], name="posts_post_updated"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def status(self) -> PostStatus:
        if not self.published or self.published_at is None:
            return PostStatus.DRAFT
        # Not `timezone.now`, which looks at the settings each time: lists ask this for each post.
        return PostStatus.SCHEDULED if self.published_at > datetime.now(UTC) else PostStatus.PUBLISHED

    @property
    def summary(self) -> str:
        """The excerpt that was given, or the one derived from the content."""
        return self.excerpt or self.derived_excerpt


class PostTagQuerySet(models.QuerySet["PostTag"]):
    """Questions about tags."""

    def public(self) -> Self:
        return self.filter(published_at__lte=CurrentMoment())

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
