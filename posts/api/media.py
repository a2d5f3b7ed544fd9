"""The operations on uploaded images."""

from functools import partial

from asgiref.sync import sync_to_async
from django.http import HttpResponse
from django.urls import reverse
from ninja import File, Form, Path, Query, Router, Status, UploadedFile

from accounts.authentication import USER, UserRequest
from accounts.idempotency import do_once
from blogsite.http.openapi import IDEMPOTENCY_KEY
from blogsite.http.pagination import Page, fetch_page
from blogsite.http.request_bodies import require_form_fields
from blogsite.http.schemas import Id, PageQuery, problems
from posts import queries
from posts.access import Access
from posts.media import services
from posts.models import Media
from posts.schemas import MediaDeletion, MediaOut, MediaPage, MediaUpdate, MediaUpload, UploadOut

router = Router(tags=["media"], auth=USER)


@router.get("", response=MediaPage, summary="List media")
async def list_media(request: UserRequest, query: Query[PageQuery]) -> Page[Media]:
    """Lists the caller's own images, newest first; editors and admins see all images."""
    return await fetch_page(queries.media(Access.to_media(request.auth)), queries.NEWEST_MEDIA_FIRST, query)


@router.post(
    "",
    response={200: MediaOut, 201: MediaOut, **problems(403, 409, 411)},
    summary="Upload an image",
    openapi_extra=IDEMPOTENCY_KEY,
)
async def upload_media(
    request: UserRequest, response: HttpResponse, file: File[UploadedFile], payload: Form[MediaUpload]
) -> Status[MediaOut]:
    """JPEG, PNG, WebP and GIF images up to 10 MiB and 40 megapixels are accepted, and stored without metadata.

    Authors, editors and admins may upload. If the same user uploads the same bytes again, the response is 200 with the
    first image. The files are public: anybody who knows the URL can load them, also before a post with the image is
    published.
    """
    require_form_fields(request, texts={"alt_text"}, files={"file"})
    upload = await sync_to_async(_upload)(request, file, payload.alt_text)
    response["Location"] = request.build_absolute_uri(reverse("api:get_media", kwargs={"media_id": upload.media.id}))
    return Status(201 if upload.is_new else 200, upload.media)


@router.get("/{int:media_id}", response={200: MediaOut, **problems(404)}, summary="Get an image")
async def get_media(request: UserRequest, media_id: Path[Id]) -> Media:
    return await queries.media_by_id(Access.to_media(request.auth), media_id).aget()


@router.patch("/{int:media_id}", response={200: MediaOut, **problems(403, 404)}, summary="Update an image")
async def update_media(request: UserRequest, media_id: Path[Id], payload: MediaUpdate | None = None) -> Media:
    """A JSON merge patch: absent fields keep their values."""
    changes = payload.model_dump(exclude_unset=True) if payload else {}
    return await sync_to_async(services.update_media)(actor=request.auth, media_id=media_id, **changes)


@router.delete("/{int:media_id}", response={204: None, **problems(403, 404, 409)}, summary="Delete an image")
async def delete_media(request: UserRequest, media_id: Path[Id], query: Query[MediaDeletion]) -> Status[None]:
    """Answers 409 while a post, even a trashed one, shows the image in its content or as its cover, without `force`.

    With `force`, posts and their revisions lose the cover image; the contents keep the URL.
    """
    await sync_to_async(services.delete_media)(actor=request.auth, media_id=media_id, force=query.force)
    return Status(204, None)


def _upload(request: UserRequest, file: UploadedFile, alt_text: str) -> UploadOut:
    with services.received_upload(file, actor=request.auth) as upload:
        add = partial(services.add_media, actor=request.auth, upload=upload, alt_text=alt_text)
        # The raw body differs between repetitions of a request: each has another multipart boundary.
        body = f"{upload.media.sha256} {alt_text}".encode()
        return do_once(request, add, UploadOut, body=body)
