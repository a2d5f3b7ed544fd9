"""The operations on tags."""

from typing import Any

from ninja import Path, Query, Router

from accounts.authentication import ANYBODY, ViewerRequest
from blogsite.http.pagination import Page, fetch_page
from blogsite.http.schemas import problems
from posts import queries
from posts.schemas import TagFilters, TagName, TagOut, TagPage

router = Router(tags=["tags"], auth=ANYBODY)


@router.get("", response=TagPage, summary="List tags")
async def list_tags(request: ViewerRequest, filters: Query[TagFilters]) -> Page[Any]:
    """Lists the tags of public posts, ordered by name."""
    return await fetch_page(queries.tags(filters.q or ""), queries.TAGS_BY_NAME, filters)


@router.get("/{path:tag}", response={200: TagOut, **problems(404)}, summary="Get a tag")
async def get_tag(request: ViewerRequest, tag: Path[TagName]) -> TagOut:
    return TagOut.model_validate(await queries.tag(tag).aget())
