"""The operations on the revisions of a post."""

from asgiref.sync import sync_to_async
from django.http import HttpResponse
from ninja import Path, Query, Router

from accounts.authentication import USER, UserRequest
from blogsite.http.pagination import Page, fetch_page
from blogsite.http.responses import json_response
from blogsite.http.schemas import Id, PageQuery, problems
from posts import queries, services
from posts.models import Revision
from posts.schemas import RevisionOut, RevisionPage

router = Router(tags=["posts"])


@router.get(
    "/{int:post_id}/revisions", auth=USER, response={200: RevisionPage, **problems(403, 404)}, summary="List revisions"
)
async def list_revisions(request: UserRequest, post_id: Path[Id], query: Query[PageQuery]) -> Page[Revision]:
    """Lists the revisions, newest first, for users who may change the post."""
    await sync_to_async(services.require_change_permission)(actor=request.auth, post_id=post_id)
    return await fetch_page(queries.revisions(post_id), queries.NEWEST_VERSION_FIRST, query)


@router.get(
    "/{int:post_id}/revisions/{int:version}",
    auth=USER,
    response={200: RevisionOut, **problems(403, 404)},
    summary="Get a revision",
)
async def get_revision(request: UserRequest, post_id: Path[Id], version: Path[Id]) -> HttpResponse:
    """Returns the state of the post after that change, to users who may change the post."""
    await sync_to_async(services.require_change_permission)(actor=request.auth, post_id=post_id)
    revision = await queries.revision(post_id, version).aget()
    return json_response(request, RevisionOut.model_validate(revision), version=version)
