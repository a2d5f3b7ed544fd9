"""Media files in an S3 bucket, on a real S3 server (moto) on the loopback interface."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from tests.images import image_bytes, opened
from tests.server import PASSWORD, free_port, manage, serving

pytestmark = pytest.mark.slow
KEY = {"AWS_ACCESS_KEY_ID": "a-key-id", "AWS_SECRET_ACCESS_KEY": "a-secret-key"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The URL of an in-memory S3 server with an empty bucket."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            try:
                httpx.put(f"http://127.0.0.1:{port}/pictures").raise_for_status()
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def bucket(endpoint: str) -> dict[str, Any]:
    """Return the metadata of each object in the bucket, by its key."""
    credentials = {"aws_access_key_id": KEY["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": KEY["AWS_SECRET_ACCESS_KEY"]}
    with closing(boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **credentials)) as client:
        keys = [found["Key"] for found in client.list_objects_v2(Bucket="pictures").get("Contents", [])]
        return {key: client.head_object(Bucket="pictures", Key=key) for key in keys}


def storage_settings(endpoint: str, **more: str) -> dict[str, str]:
    storage = f"s3://pictures/blog?region_name=us-east-1&endpoint_url={endpoint}"
    return {"BLOG_MEDIA_STORAGE": storage, **KEY, **more}


def upload(client: httpx.Client, content: bytes) -> httpx.Response:
    return client.post("/media", files={"file": ("x.png", content)})


def test_files_are_stored_in_the_bucket_and_keep_their_urls(endpoint: str, tmp_path: Path) -> None:
    environment = storage_settings(endpoint)
    manage(tmp_path, "seed", "--password", PASSWORD, **environment)
    with serving(tmp_path, **environment) as server, server.log_in() as client:
        media = upload(client, image_bytes("PNG", (400, 300))).json()
        name = media["url"].removeprefix("/media/")
        keys = {f"blog/{name[:2]}/{name}", f"blog/{name[:2]}/{name[:32]}-320.webp"}
        objects = bucket(endpoint)
        assert set(objects) == keys
        assert {head["ContentType"] for head in objects.values()} == {"image/png", "image/webp"}
        assert {head["CacheControl"] for head in objects.values()} == {"public, max-age=31536000, immutable"}

        redirect = httpx.get(f"{server.url}{media['url']}")
        assert (redirect.status_code, redirect.headers["cache-control"]) == (307, "no-store")
        assert "Signature=" in redirect.headers["location"]
        assert opened(httpx.get(redirect.headers["location"]).content).size == (400, 300)

        again = upload(client, image_bytes("PNG", (400, 300)))
        assert (again.status_code, again.json()) == (200, media)
        assert client.delete(f"/media/{media['id']}").status_code == 204
        assert bucket(endpoint) == {}
    assert not (tmp_path / "media").exists()
    swept = manage(tmp_path, "sweep_media", **environment)
    assert (swept.returncode, "Deleted 0 stored files" in swept.stdout) == (0, True), swept.stderr


def test_a_public_bucket_is_redirected_to_by_its_public_url(endpoint: str, tmp_path: Path) -> None:
    environment = storage_settings(endpoint, BLOG_MEDIA_PUBLIC_URL="http://cdn.example.org/pictures")
    with serving(tmp_path, **environment) as server:
        name = "0" * 32 + ".png"
        redirect = httpx.get(f"{server.url}/media/{name}")
        assert redirect.headers["location"] == f"http://cdn.example.org/pictures/blog/00/{name}"
        policy = httpx.get(f"{server.url}/admin/login/").headers["content-security-policy"]
        assert "img-src 'self' data: http://cdn.example.org" in policy


def test_an_unreachable_bucket_gives_503_and_stores_no_row(tmp_path: Path) -> None:
    environment = storage_settings(f"http://127.0.0.1:{free_port()}")
    manage(tmp_path, "seed", "--password", PASSWORD, **environment)
    with serving(tmp_path, **environment) as server, server.log_in() as client:
        refused = upload(client, image_bytes())
        assert (refused.status_code, refused.json()["code"]) == (503, "storage_unavailable")
        assert "retry-after" in refused.headers
        assert json.loads(client.get("/media").content)["items"] == []
