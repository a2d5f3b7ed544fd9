"""A real server: many simultaneous uploads, hostile uploads, and a server that is killed during uploads."""

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest
from PIL import Image

from posts.media.storage import MIN_ORPHAN_AGE
from tests.images import animation, photo, png_of_size, saved
from tests.server import PASSWORD, Server, manage, serving

pytestmark = pytest.mark.slow
MIB = 1024 * 1024


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    manage(tmp_path, "seed", "--password", PASSWORD)
    return tmp_path


@pytest.fixture
def server(data_dir: Path) -> Iterator[Server]:
    with serving(data_dir) as running:
        yield running


def upload(client: httpx.Client, content: bytes) -> httpx.Response:
    return client.post("/media", files={"file": ("x.png", content)})


def files_in(data_dir: Path) -> set[str]:
    return {path.name for path in (data_dir / "media").rglob("*.*")}


def names_in(data_dir: Path) -> set[str]:
    with closing(sqlite3.connect(data_dir / "blog.sqlite3")) as database:
        return {name for (name,) in database.execute("SELECT name FROM posts_media")}


def noise(number: int, size: int = 1_000) -> bytes:
    """Return a PNG image that is different for each number, of about a megabyte in the default size."""
    picture = Image.effect_noise((size, size), 50)
    picture.putpixel((0, 0), number % 256)
    return saved(picture, "PNG")


def peak_memory(server: Server) -> int:
    """Return the peak memory of the server in bytes."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory from Linux' /proc")
def test_hostile_uploads_are_rejected_and_need_no_memory(server: Server, data_dir: Path) -> None:
    hostile = [
        (png_of_size(50_000, 50_000), 422),
        (
            saved(
                Image.new("1", (2, 2)),
                "GIF",
                save_all=True,
                append_images=[Image.new("1", (2, 2), n % 2) for n in range(9_999)],
            ),
            422,
        ),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", 415),
        (b"<html><script>alert(1)</script></html>", 415),
        (photo()[:-2_000], 422),
        (b"", 422),
        (b"\x89PNG\r\n\x1a\n" + os.urandom(11 * MIB), 413),
        (saved(Image.new("RGB", (9, 9)), "TIFF"), 415),
        (b"%PDF-1.7\n" + os.urandom(MIB), 415),
    ]
    with server.log_in() as client:
        assert upload(client, animation()).status_code == 201
        before, stored = peak_memory(server), files_in(data_dir)
        with ThreadPoolExecutor(8) as threads:
            responses = list(threads.map(lambda pair: upload(client, pair[0]), hostile * 2))
        assert [response.status_code for response in responses] == [status for _, status in hostile * 2]
        assert all(response.headers["content-type"] == "application/problem+json" for response in responses)
        without_length = client.post(
            "/media", content=iter([b"--x--"]), headers={"Content-Type": "multipart/form-data; boundary=x"}
        )
        assert without_length.status_code == 411
        assert peak_memory(server) - before < 48 * MIB
        assert files_in(data_dir) == stored


def test_reads_and_writes_continue_during_many_uploads(server: Server, data_dir: Path) -> None:
    with server.log_in() as client, ThreadPoolExecutor(20) as threads:
        uploads = [threads.submit(upload, client, noise(number)) for number in range(20)]
        during = 0
        while not all(future.done() for future in uploads):
            assert httpx.get(f"{server.url}/api/v1/posts").status_code == 200
            assert client.post("/posts", json={"title": "Meanwhile", "content": ""}).status_code == 201
            during += 1
        assert during > 5
        assert [future.result().status_code for future in uploads] == [201] * 20
    assert len(names_in(data_dir)) == 20
    assert len(files_in(data_dir)) == 20 * 3  # 1,000 pixels wide: two variants each


@pytest.mark.parametrize("after", [0.3, 0.8, 1.3])
def test_a_killed_server_leaves_no_row_without_its_files(data_dir: Path, after: float) -> None:
    with serving(data_dir) as server, server.log_in() as client, ThreadPoolExecutor(4) as threads:

        def upload_until_killed(first: int) -> None:
            with suppress(httpx.TransportError):
                for number in range(first, first + 60):
                    upload(client, noise(number, 400))

        uploading = [threads.submit(upload_until_killed, number * 60) for number in range(4)]
        threading.Timer(after, os.kill, (server.process.pid, signal.SIGKILL)).start()
        server.process.wait(60)
        for future in uploading:
            future.result(120)
    stored, named = files_in(data_dir), names_in(data_dir)
    assert named <= stored
    for path in (data_dir / "media").rglob("*.*"):
        moment = path.stat().st_mtime - MIN_ORPHAN_AGE.total_seconds() - 60
        os.utime(path, (moment, moment))
    manage(data_dir, "sweep_media")
    stems = {name.partition(".")[0] for name in named}
    remaining = files_in(data_dir)
    assert {name.partition(".")[0].partition("-")[0] for name in remaining} == stems
    assert len(remaining) == 2 * len(stems)
    with serving(data_dir) as server:
        for name in named:
            assert httpx.get(f"{server.url}/media/{name}").status_code == 200
