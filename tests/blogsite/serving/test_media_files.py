"""The layer that serves the files of uploaded images."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage, Storage

from blogsite.serving.asgi import Message
from blogsite.serving.media_files import CHUNK_BYTES, MediaFiles
from posts.media.storage import find_file
from tests.blogsite.serving.asgi import Response, call, echo, make_scope

FOLDER = "01"
NAME = "0123456789abcdef0123456789abcdef.png"
CONTENT = bytes(range(256)) * 4
ETAG = f'"{NAME}"'


class RemoteStorage(Storage):
    """A storage without local files, like S3."""

    def url(self, name: str | None, http_method: str = "") -> str:
        return f"https://bucket.example.org/{name}?signed={http_method}"


@pytest.fixture
def layer(tmp_path: Path) -> MediaFiles:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / NAME).write_bytes(CONTENT)
    return MediaFiles(echo, storage=FileSystemStorage(tmp_path), find=find_file)


def get(layer: MediaFiles, name: str = NAME, method: str = "GET", **headers: str) -> Response:
    sent = [(header.replace("_", "-"), value) for header, value in headers.items()]
    return call(layer, make_scope(method, f"/media/{name}", sent))


def test_a_file_is_cached_for_ever_and_sandboxed(layer: MediaFiles) -> None:
    response = get(layer)
    assert (response.status, response.body) == (200, CONTENT)
    headers = response.headers
    assert (headers["content-type"], headers["content-length"]) == ("image/png", str(len(CONTENT)))
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (headers["etag"], headers["accept-ranges"]) == (ETAG, "bytes")
    assert headers["content-security-policy"] == "sandbox"


def test_head_is_get_without_the_body(layer: MediaFiles) -> None:
    response = get(layer, method="HEAD")
    assert (response.status, response.body, response.headers["content-length"]) == (200, b"", str(len(CONTENT)))


@pytest.mark.parametrize("known", [ETAG, "*", f"W/{ETAG}", f'"x", {ETAG}'])
def test_a_matching_etag_gets_304(layer: MediaFiles, known: str) -> None:
    response = get(layer, If_None_Match=known)
    assert (response.status, response.body, response.headers["etag"]) == (304, b"", ETAG)
    assert "content-length" not in response.headers
    assert get(layer, If_None_Match='"another"').status == 200


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=5-9", 5, 9),
        ("bytes=1000-", 1000, 1023),
        ("bytes=1000-5000", 1000, 1023),
        ("bytes=-10", 1014, 1023),
        ("bytes=-5000", 0, 1023),
    ],
)
def test_a_range_is_sent(layer: MediaFiles, wanted: str, first: int, last: int) -> None:
    response = get(layer, Range=wanted)
    assert (response.status, response.body) == (206, CONTENT[first : last + 1])
    assert response.headers["content-range"] == f"bytes {first}-{last}/1024"
    assert response.headers["content-length"] == str(last - first + 1)


@pytest.mark.parametrize("wanted", ["bytes=1024-", "bytes=-0", "bytes=2000-3000"])
def test_a_range_beyond_the_file_is_416(layer: MediaFiles, wanted: str) -> None:
    response = get(layer, Range=wanted)
    assert (response.status, response.headers["content-range"]) == (416, "bytes */1024")


@pytest.mark.parametrize(
    "wanted", ["bytes=-", "bytes=9-5", "bytes=0-1,5-6", "lines=1-2", "bytes=a-b", "bytes=0x1-", "bytes=1-²"]
)
def test_an_invalid_range_is_ignored(layer: MediaFiles, wanted: str) -> None:
    assert get(layer, Range=wanted).status == 200


def test_a_range_of_a_head_request_is_ignored(layer: MediaFiles) -> None:
    response = get(layer, method="HEAD", Range="bytes=0-9")
    assert (response.status, response.headers["content-length"]) == (200, str(len(CONTENT)))


def test_a_range_of_another_version_is_ignored(layer: MediaFiles) -> None:
    assert get(layer, Range="bytes=0-1", If_Range=ETAG).status == 206
    assert get(layer, Range="bytes=0-1", If_Range='"another"').status == 200


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x",
        "0" * 32,
        "f" * 32 + ".png",
        "f" * 32 + ".svg",
        f"../{FOLDER}/{NAME}",
        f"{FOLDER}/{NAME}",
        NAME + "/",
        NAME + "\n",
        "f" * 33 + ".png",
    ],
)
def test_an_invalid_or_unknown_name_is_404(layer: MediaFiles, name: str) -> None:
    response = get(layer, name)
    assert (response.status, json.loads(response.body)["code"]) == (404, "not_found")
    assert response.headers["cache-control"] == "no-store"


def test_other_methods_get_405_and_other_paths_are_passed_on(layer: MediaFiles) -> None:
    refused = get(layer, method="POST")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert get(layer, method="OPTIONS").headers["allow"] == "GET, HEAD, OPTIONS"
    assert call(layer, make_scope("GET", "/api/v1/media")).body == b""


def test_a_remote_file_is_a_redirect_that_is_not_cached() -> None:
    layer = MediaFiles(echo, storage=RemoteStorage(), find=find_file)
    response = get(layer)
    assert (response.status, response.headers["cache-control"]) == (307, "no-store")
    assert response.headers["location"] == f"https://bucket.example.org/{FOLDER}/{NAME}?signed=GET"
    assert get(layer, "x").status == 404


def test_a_long_file_is_read_in_chunks_until_the_client_disconnects(layer: MediaFiles, tmp_path: Path) -> None:
    (tmp_path / FOLDER / NAME).write_bytes(bytes(10 * CHUNK_BYTES))
    chunks: list[int] = []

    async def scenario() -> None:
        gone = asyncio.Event()

        async def send(message: Message) -> None:
            chunks.append(len(message.get("body", b"")))
            if len(chunks) == 3:
                gone.set()

        async def receive() -> Any:
            await gone.wait()
            return {"type": "http.disconnect"}

        await layer(make_scope("GET", f"/media/{NAME}"), receive, send)

    asyncio.run(scenario())
    assert 3 <= len(chunks) < 6
