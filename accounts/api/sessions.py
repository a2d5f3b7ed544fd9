"""The caller's own sessions."""

from asgiref.sync import sync_to_async
from django.utils import timezone
from ninja import Path, Query, Router, Status

from accounts import queries
from accounts.authentication import SESSION, SessionRequest
from accounts.models import Session
from accounts.schemas import SessionPage
from blogsite.errors import NotFound
from blogsite.http.pagination import Page, fetch_page
from blogsite.http.schemas import Id, PageQuery, problems

router = Router(tags=["auth"], auth=SESSION)

end_sessions = sync_to_async(Session.objects.end)


@router.get("", response={200: SessionPage, **problems(403)}, summary="List your sessions")
async def list_sessions(request: SessionRequest, query: Query[PageQuery]) -> Page[Session]:
    """Lists the caller's sessions that have not ended, the last used first."""
    sessions = queries.sessions_of(request.auth.user_id, timezone.now(), request.auth.pk)
    return await fetch_page(sessions, queries.SESSIONS_LAST_USED_FIRST, query)


@router.delete("/{int:session_id}", response={204: None, **problems(403, 404)}, summary="End a session")
async def end_session(request: SessionRequest, session_id: Path[Id]) -> Status[None]:
    """Ends one of the caller's sessions, for example the one on a lost device."""
    if not await end_sessions(request.auth.user_id, session_id=session_id):
        raise NotFound("You have no such session.")
    return Status(204, None)


@router.delete("", response={204: None, **problems(403)}, summary="End all your sessions")
async def end_all_sessions(request: SessionRequest) -> Status[None]:
    """Ends every session of the caller, including the current one."""
    await end_sessions(request.auth.user_id)
    return Status(204, None)
