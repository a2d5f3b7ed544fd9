"""The caller's own API tokens."""

from asgiref.sync import sync_to_async
from ninja import Path, Query, Router, Status

from accounts import queries
from accounts.authentication import SESSION, SessionRequest
from accounts.credentials import api_tokens
from accounts.models import ApiToken
from accounts.schemas import ApiTokenCreate, ApiTokenCreated, ApiTokenOut, ApiTokenPage
from blogsite.http.pagination import Page, fetch_page
from blogsite.http.schemas import Id, PageQuery, problems

router = Router(tags=["auth"], auth=SESSION)


@router.get("", response={200: ApiTokenPage, **problems(403)}, summary="List your API tokens")
async def list_api_tokens(request: SessionRequest, query: Query[PageQuery]) -> Page[ApiToken]:
    """Lists the caller's API tokens, the newest first. Expired tokens are included."""
    return await fetch_page(queries.api_tokens_of(request.auth.user_id), queries.API_TOKENS_NEWEST_FIRST, query)


@router.post("", response={201: ApiTokenCreated, **problems(403)}, summary="Create an API token")
async def create_api_token(request: SessionRequest, payload: ApiTokenCreate) -> Status[ApiTokenCreated]:
    """Creates a token for a site build or a script, valid until it expires or is deleted. It is shown only once."""
    create = sync_to_async(api_tokens.create_api_token)
    row, token = await create(user=request.auth.user, **payload.model_dump())
    return Status(201, ApiTokenCreated(**ApiTokenOut.model_validate(row).model_dump(), token=token))


@router.delete("/{int:token_id}", response={204: None, **problems(403, 404)}, summary="Delete an API token")
async def delete_api_token(request: SessionRequest, token_id: Path[Id]) -> Status[None]:
    """Deletes one of the caller's API tokens, which is no longer valid then."""
    await sync_to_async(api_tokens.delete_api_token)(user=request.auth.user, token_id=token_id)
    return Status(204, None)
