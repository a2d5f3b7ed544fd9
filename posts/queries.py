"""Every query that reads posts, revisions, tags, authors and images for a client, and the orders of the lists.

The functions with `@compiled` return a `CompiledQuery`, whose SQL is kept (`blogsite.db.compiled_queries`); the others
return ordinary QuerySets.
"""

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery

from accounts.models import User, UserQuerySet
from blogsite.db.compiled_queries import compiled
from blogsite.db.keyset import Order, Slice
from posts.access import Access
from posts.models import Media, MediaQuerySet, Post, PostQuerySet, PostStatus, PostTag, Revision, RevisionQuerySet

NEXT_PUBLICATION = (
    "SELECT MIN(published_at) FROM posts_post WHERE published AND trashed_at IS NULL AND published_at > %s"
)
"""The SQL, for both engines, of the next time after a given time at which a scheduled post becomes public."""

NEWEST_FIRST = Order("-published_at", keys=("published_at", "id"), descending=True, nullable=True)
LAST_UPDATED_FIRST = Order("-updated_at", keys=("updated_at", "id"), descending=True)
POST_ORDERS = {
    "-published_at": NEWEST_FIRST,
    "published_at": Order("published_at", keys=("published_at", "id"), nullable=True),
    "-updated_at": LAST_UPDATED_FIRST,
    "title": Order("title", keys=("title", "id")),
}
BEST_MATCH_FIRST = Order("rank", keys=("rank", "id"), columns=("rank", "match"))
NEWEST_VERSION_FIRST = Order("-version", keys=("version",), descending=True)
NEWEST_MEDIA_FIRST = Order("-id", keys=("id",), descending=True)
TAGS_BY_NAME = Order("name", keys=("name",))
AUTHORS_BY_USERNAME = Order("username", keys=("username", "id"))


class PostSelection(NamedTuple):
    """Which posts a list contains; None, an empty tuple and False select nothing. The bounds of time are exclusive."""

    status: PostStatus | None = None
    tags: tuple[str, ...] = ()
    author: str | None = None
    published_after: datetime | None = None
    published_before: datetime | None = None
    search_query: str | None = None
    with_content: bool = False


@compiled
def post_by_id(access: Access, post_id: int) -> PostQuerySet:
    """The post with this id, unless it is in the trash."""
    return Post.objects.visible_to(access).not_trashed().with_content().filter(pk=post_id)


@compiled
def post_by_slug(access: Access, slug: str) -> PostQuerySet:
    """The post with this slug, unless it is in the trash."""
    return Post.objects.visible_to(access).not_trashed().with_content().filter(slug=slug)


@compiled
def post_by_former_slug(access: Access, slug: str) -> PostQuerySet:
    """The current slug of the post that had this slug before."""
    return Post.objects.visible_to(access).not_trashed().filter(former_slugs__slug=slug).only("slug", "author")


@compiled
def post_for_preview(post_id: int) -> PostQuerySet:
    """The post with this id, published or not, unless it is in the trash: for the owners of a preview link."""
    return Post.objects.not_trashed().with_content().filter(pk=post_id)


@compiled
def posts(access: Access, selection: PostSelection) -> PostQuerySet:
    """The selected posts that the user may see."""
    return _selected(access, selection)


@compiled
def best_matches(access: Access, selection: PostSelection, candidates: Slice) -> PostQuerySet:
    """The selected posts among the first matches of a search: only the candidates are looked up."""
    return _selected(access, selection, candidates.size)


def _selected(access: Access, selection: PostSelection, candidate_limit: int | None = None) -> PostQuerySet:
    if selection.status is PostStatus.PUBLISHED:
        found = Post.objects.published()  # everybody may see these
    else:
        found = Post.objects.visible_to(access)
        found = found if selection.status is None else found.with_status(selection.status)
    found = found.tagged(*selection.tags)
    if selection.search_query is not None:
        found = found.found_by(selection.search_query, candidate_limit)
    if selection.author is not None:
        found = found.by(selection.author)
    if selection.published_after is not None:
        found = found.filter(published_at__gt=selection.published_after)
    if selection.published_before is not None:
        found = found.filter(published_at__lt=selection.published_before)
    return found.with_content() if selection.with_content else found.with_summary()


def newest_posts(*, tag: str | None = None, author: str | None = None) -> PostQuerySet:
    """Public posts with their content, newest first: all of them, or those with a tag or by an author."""
    selection = PostSelection(PostStatus.PUBLISHED, (tag,) if tag else (), author, with_content=True)
    return post_order(selection, None).apply(_selected(Access(), selection))


def sitemap_posts() -> PostQuerySet:
    """Public posts, oldest first, with the columns that the sitemap needs."""
    return Post.objects.published().order_by("published_at", "id").only("slug", "published_at", "updated_at")


def post_order(selection: PostSelection, sort: str | None) -> Order:
    """Return the order of a list of posts: the one that the request names, or the default for its selection."""
    if selection.search_query and not sort:
        return BEST_MATCH_FIRST
    always_timed = selection.status in (PostStatus.PUBLISHED, PostStatus.SCHEDULED)
    order = POST_ORDERS[sort] if sort else NEWEST_FIRST if always_timed else LAST_UPDATED_FIRST
    if not always_timed:
        return order
    # Without nulls, the condition of a cursor is one comparison, which an index serves.
    by_tag = ("tag_time", "tag_post") if selection.tags and order.keys == ("published_at", "id") else ()
    return replace(order, nullable=False, columns=by_tag)


@compiled
def revisions(post_id: int) -> RevisionQuerySet:
    """The revisions of a post."""
    return Revision.objects.filter(post=post_id).with_editor()


@compiled
def revision(post_id: int, version: int) -> RevisionQuerySet:
    """One revision of a post."""
    return Revision.objects.filter(post=post_id, version=version).with_editor()


@compiled
def media(access: Access) -> MediaQuerySet:
    """The images that the user may see."""
    return Media.objects.visible_to(access)


@compiled
def media_by_id(access: Access, media_id: int) -> MediaQuerySet:
    """The image with this id."""
    return Media.objects.visible_to(access).filter(pk=media_id)


@compiled
def tags(prefix: str) -> QuerySet[PostTag, tuple[str, int]]:
    """The tags of public posts that start with `prefix`, with the number of these posts."""
    return PostTag.objects.public().filter(name__startswith=prefix).counted()


@compiled
def tag(name: str) -> QuerySet[PostTag, tuple[str, int]]:
    """The tag with this name, if public posts have it, with the number of these posts."""
    return PostTag.objects.public().filter(name=name).counted()


@compiled
def authors() -> UserQuerySet:
    """The users who have public posts, each with their `post_count`."""
    return _public_authors()


@compiled
def author(username: str) -> UserQuerySet:
    """The user with this username, in any letter case, if they have public posts."""
    return _public_authors().named(username)


def _public_authors() -> UserQuerySet:
    public = Post.objects.published().filter(author=OuterRef("pk")).order_by()
    counted = public.values("author").annotate(count=Count("pk")).values("count")
    authors = User.objects.filter(Exists(public)).annotate(post_count=Subquery(counted))
    return authors.only("username", "full_name", "bio")
