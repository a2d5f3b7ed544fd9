"""Measures how concurrent uploads slow down readers: the rate of cached lists without and during uploads."""

import io
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from statistics import median

from PIL import Image
from tqdm import tqdm

from tests.benchmarks import load, processors, servers, workspace
from tests.benchmarks.http_request import HOST, Request
from tests.benchmarks.operations import POSTS_PATH
from tests.benchmarks.peers import BLOGSITE
from tests.benchmarks.report import as_markdown
from tests.benchmarks.servers import Server, ServerFailed

POSTS = 20_000
AT_ONCE = 20
SIZE = (3000, 2000)
TIMEOUT = 300
BOUNDARY = "benchmark-boundary"


def measure(*, rounds: int, seconds: float) -> tuple[list[float], list[float], int]:
    """Return the requests per second of each round without and during uploads, and the number of completed uploads."""
    alone, meanwhile = [], []
    uploaded = 0
    photo = _photo()
    with workspace.folder() as data_dir, processors.of_the_load():
        workspace.fill(data_dir, POSTS)
        with servers.running(BLOGSITE, data_dir) as server:
            requests = [Request(POSTS_PATH)]
            load.warm_up(requests, port=server.port)
            token = server.log_in(1)
            for _ in tqdm(range(rounds), unit="round"):
                alone.append(load.measure(requests, port=server.port, seconds=seconds).rate)
                with _uploading(server, token, photo) as done:
                    meanwhile.append(load.measure(requests, port=server.port, seconds=seconds).rate)
                uploaded += len(done)
    return alone, meanwhile, uploaded


def table(alone: list[float], meanwhile: list[float]) -> str:
    """Return the table in Markdown."""
    before, during = median(alone), median(meanwhile)
    rows = [
        ["alone", f"{before:,.0f}/s", "1.00x"],
        [f"{AT_ONCE} uploads", f"{during:,.0f}/s", f"{during / before:.2f}x"],
    ]
    return as_markdown([["Cached list", "Rate", "Relative to no uploads"], *rows])


@contextmanager
def _uploading(server: Server, token: str, photo: bytes) -> Iterator[list[int]]:
    """Upload repeatedly on `AT_ONCE` connections until the block ends. Yields a list with an item for each upload."""
    done: list[int] = []
    stop = threading.Event()

    def upload() -> None:
        while not stop.is_set():
            _upload(server, token, photo + secrets.token_bytes(16))  # so that no two uploads are equal
            done.append(1)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        running = [threads.submit(upload) for _ in range(AT_ONCE)]
        try:
            yield done
        finally:
            stop.set()
        for future in running:
            future.result()


def _upload(server: Server, token: str, photo: bytes) -> None:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="photo.jpg"\r\n\r\n'
    headers = {"Authorization": f"Bearer {token}", "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    connection = HTTPConnection(HOST, server.port, timeout=TIMEOUT)
    try:
        connection.request("POST", "/api/v1/media", head.encode() + photo + f"\r\n--{BOUNDARY}--\r\n".encode(), headers)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != 201:
        raise ServerFailed(f"An upload returned {response.status}: {body[:500]!r}")


def _photo() -> bytes:
    """Return a JPEG of 6 megapixels."""
    file = io.BytesIO()
    Image.effect_noise(SIZE, 30).convert("RGB").save(file, "JPEG", quality=80)
    return file.getvalue()
