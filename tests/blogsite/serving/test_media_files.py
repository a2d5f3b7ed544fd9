"""The files of images, as clients get them."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage, Storage

from blogsite.serving.asgi import Message
from blogsite.serving.media_files import CHUNK_BYTES, MediaFiles
from posts.media.storage import find_file
from tests.blogsite.serving.asgi import Answer, ask, echo, scope_of

FOLDER = "01"
NAME = "0123456789abcdef0123456789abcdef.png"
CONTENT = bytes(range(256)) * 4
ETAG = f'"{NAME}"'


class Elsewhere(Storage):
    """A storage without a path, like S3's."""

    def url(self, name: str | None, http_method: str = "") -> str:
        return f"https://bucket.example.org/{name}?signed={http_method}"


@pytest.fixture
def layer(tmp_path: Path) -> MediaFiles:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / NAME).write_bytes(CONTENT)
    return MediaFiles(echo, prefix="/media/", storage=FileSystemStorage(tmp_path), find=find_file)


def get(layer: MediaFiles, name: str = NAME, method: str = "GET", **headers: str) -> Answer:
    sent = [(header.replace("_", "-"), value) for header, value in headers.items()]
    return ask(layer, scope_of(method, f"/media/{name}", sent))


def test_a_file_is_for_ever_and_runs_nothing(layer: MediaFiles) -> None:
    answer = get(layer)
    assert (answer.status, answer.body) == (200, CONTENT)
    headers = answer.headers
    assert (headers["content-type"], headers["content-length"]) == ("image/png", str(len(CONTENT)))
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (headers["etag"], headers["accept-ranges"]) == (ETAG, "bytes")
    assert headers["content-security-policy"] == "sandbox"


def test_head_is_get_without_the_body(layer: MediaFiles) -> None:
    answer = get(layer, method="HEAD")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", str(len(CONTENT)))


@pytest.mark.parametrize("known", [ETAG, "*", f"W/{ETAG}", f'"x", {ETAG}'])
def test_what_the_client_has_is_not_sent_again(layer: MediaFiles, known: str) -> None:
    answer = get(layer, If_None_Match=known)
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", ETAG)
    assert "content-length" not in answer.headers
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
    answer = get(layer, Range=wanted)
    assert (answer.status, answer.body) == (206, CONTENT[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/1024"
    assert answer.headers["content-length"] == str(last - first + 1)


@pytest.mark.parametrize("wanted", ["bytes=1024-", "bytes=-0", "bytes=2000-3000"])
def test_a_range_that_is_not_there_is_416(layer: MediaFiles, wanted: str) -> None:
    answer = get(layer, Range=wanted)
    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */1024")


@pytest.mark.parametrize(
    "wanted", ["bytes=-", "bytes=9-5", "bytes=0-1,5-6", "lines=1-2", "bytes=a-b", "bytes=0x1-", "bytes=1-²"]
)
def test_a_range_that_is_not_understood_is_ignored(layer: MediaFiles, wanted: str) -> None:
    assert get(layer, Range=wanted).status == 200


def test_a_range_is_for_get_alone(layer: MediaFiles) -> None:
    answer = get(layer, method="HEAD", Range="bytes=0-9")
    assert (answer.status, answer.headers["content-length"]) == (200, str(len(CONTENT)))


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
def test_what_is_no_file_is_404(layer: MediaFiles, name: str) -> None:
    answer = get(layer, name)
    assert (answer.status, json.loads(answer.body)["code"]) == (404, "not_found")
    assert answer.headers["cache-control"] == "no-store"


def test_other_methods_are_refused_and_other_paths_passed_on(layer: MediaFiles) -> None:
    refused = get(layer, method="POST")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert get(layer, method="OPTIONS").headers["allow"] == "GET, HEAD, OPTIONS"
    assert ask(layer, scope_of("GET", "/api/v1/media")).body == b""


def test_what_is_stored_elsewhere_is_found_there_and_the_way_is_not_kept() -> None:
    layer = MediaFiles(echo, prefix="/media/", storage=Elsewhere(), find=find_file)
    answer = get(layer)
    assert (answer.status, answer.headers["cache-control"]) == (307, "no-store")
    assert answer.headers["location"] == f"https://bucket.example.org/{FOLDER}/{NAME}?signed=GET"
    assert get(layer, "x").status == 404


def test_a_long_file_is_read_in_pieces_and_for_nobody_who_has_left(layer: MediaFiles, tmp_path: Path) -> None:
    (tmp_path / FOLDER / NAME).write_bytes(bytes(10 * CHUNK_BYTES))
    pieces: list[int] = []

    async def scenario() -> None:
        gone = asyncio.Event()

        async def send(message: Message) -> None:
            pieces.append(len(message.get("body", b"")))
            if len(pieces) == 3:
                gone.set()

        async def receive() -> Any:
            await gone.wait()
            return {"type": "http.disconnect"}

        await layer(scope_of("GET", f"/media/{NAME}"), receive, send)

    asyncio.run(scenario())
    assert 3 <= len(pieces) < 6
