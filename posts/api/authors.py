"""The operations on authors: the users who have public posts."""

from ninja import Path, Query, Router

from accounts.authentication import ANYBODY, ViewerRequest
from accounts.models import User
from accounts.schemas import Username
from blogsite.http.pagination import Page, fetch_page
from blogsite.http.schemas import PageQuery, problems
from posts import queries
from posts.schemas import AuthorOut, AuthorPage

router = Router(tags=["authors"], auth=ANYBODY)


@router.get("", response=AuthorPage, summary="List authors")
async def list_authors(request: ViewerRequest, query: Query[PageQuery]) -> Page[User]:
    """Lists the users who have public posts, ordered by username."""
    return await fetch_page(queries.authors(), queries.AUTHORS_BY_USERNAME, query)


@router.get("/{username}", response={200: AuthorOut, **problems(404)}, summary="Get an author")
async def get_author(request: ViewerRequest, username: Path[Username]) -> User:
    """Finds the author by username, in any letter case."""
    return await queries.author(username).aget()
