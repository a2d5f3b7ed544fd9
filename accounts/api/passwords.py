"""Changing and resetting passwords."""

from django.http import HttpRequest, HttpResponse
from ninja import Router, Status

from accounts import services
from accounts.authentication import SESSION, SessionRequest
from accounts.login_throttle import FailureThrottle
from accounts.schemas import PasswordChange, PasswordReset, PasswordResetRequest
from blogsite.errors import BadResetLink, WrongPassword
from blogsite.http.schemas import problems

router = Router(tags=["auth"])


@router.post("/change", auth=SESSION, response={204: None, **problems(403, 429)}, summary="Change your password")
async def change_password(request: SessionRequest, response: HttpResponse, payload: PasswordChange) -> Status[None]:
    """Sets a new password, and ends every session of the caller except the current one."""
    user, session_id = request.auth.user, request.auth.pk
    async with FailureThrottle("password", request, user.pk, exceptions=WrongPassword, response=response):
        await services.change_password(user=user, session_id=session_id, **payload.model_dump())
    return Status(204, None)


@router.post("/reset", response={202: None, **problems(429)}, summary="Request a password reset")
async def request_password_reset(
    request: HttpRequest, response: HttpResponse, payload: PasswordResetRequest
) -> Status[None]:
    """Mails a link to the address if an active user has it. The response is the same in either case."""
    async with FailureThrottle("reset", request, payload.email, count_success=True, response=response):
        await services.request_password_reset(email=payload.email)
    return Status(202, None)


@router.post("/reset/confirm", response={204: None, **problems(429)}, summary="Reset a password")
async def reset_password(request: HttpRequest, response: HttpResponse, payload: PasswordReset) -> Status[None]:
    """Sets a new password with the `uid` and the `token` of a mailed link, and ends every session of the user."""
    async with FailureThrottle("reset-link", request, exceptions=BadResetLink, response=response):
        await services.reset_password(**payload.model_dump())
    return Status(204, None)
