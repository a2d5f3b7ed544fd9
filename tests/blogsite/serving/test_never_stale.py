"""A real server: its response cache is never stale, although other processes write to the database."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count, cycle

import httpx
import pytest

from tests.server import ROOT, Server, environment, manage, serving

pytestmark = pytest.mark.slow

PASSWORD = "quiet-river-lantern"
READS = 12_000
READERS = 4


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("stale")
    assert manage(folder, "migrate", "-v0").returncode == 0
    assert manage(folder, "seed", "--password", PASSWORD).returncode == 0
    with serving(folder, "--no-migrate", "--workers", "2") as running:
        yield running


@pytest.fixture
def token(server: Server) -> str:
    credentials = {"username": "author", "password": PASSWORD}
    response = httpx.post(f"{server.url}/api/v1/auth/login", json=credentials).json()
    return f"Bearer {response['access_token']}"


class APIWriter:
    """Writes the post `subject` through the API."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def do(self, command: str, text: str) -> None:
        if command == "create":
            body = {"title": text, "slug": "subject", "content": "", "tags": ["subject"], "published": True}
            response = self.client.post("/posts", json=body)
        else:
            path = f"/posts/{self.client.get('/posts/by-slug/subject').json()['id']}"
            match command:
                case "title":
                    response = self.client.patch(path, json={"title": text})
                case "delete":
                    response = self.client.delete(path)
                case _:
                    response = self.client.post(f"{path}/{command}")
        assert response.is_success, response.text


class AdminWriter:
    """Changes titles in the admin site. Makes all other changes through the API."""

    def __init__(self, client: httpx.Client, api: APIWriter) -> None:
        self.client = client
        self.api = api
        page = self.client.get("/admin/login/").text
        form = {"csrfmiddlewaretoken": csrf_token_in(page), "username": "author", "password": PASSWORD}
        assert "Log out" in self.client.post("/admin/login/?next=/admin/", data=form).text

    def do(self, command: str, text: str) -> None:
        if command != "title":
            return self.api.do(command, text)
        post = self.api.client.get("/posts/by-slug/subject").json()
        path = f"/admin/posts/post/{post['id']}/change/"
        moment = datetime.fromisoformat(post["published_at"])
        form = {
            "csrfmiddlewaretoken": csrf_token_in(self.client.get(path).text),
            "title": text,
            "slug": "subject",
            "tags": "subject",
            "published": "on" if post["published"] else "",
            "published_at_0": moment.date().isoformat(),
            "published_at_1": moment.time().isoformat("seconds"),
        }
        assert "was changed successfully" in self.client.post(path, data=form).text


class ORMWriter:
    """Writes through the ORM in another process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def do(self, command: str, text: str) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{command} {text}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"


@contextmanager
def orm_writer(server: Server) -> Iterator[ORMWriter]:
    command = [sys.executable, "-m", "tests.blogsite.serving.orm_writer"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(server.log.parent),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield ORMWriter(process)
        assert process.stdin
        process.stdin.close()


def csrf_token_in(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found
    return found[1]


class Readers:
    """Threads that read one path, and compare each response with what was committed when they sent the request.

    `history` contains the expected title after each commit. It grows just before a write, and `committed` just after.
    """

    def __init__(self, server: Server, path: str, history: list[str | None]) -> None:
        self.server, self.path, self.history = server, path, history
        self.committed = 0
        self.reads = 0
        self.hits = 0
        self.stale: list[str] = []
        self.lock = threading.Lock()
        self.done = threading.Event()
        self.threads = [threading.Thread(target=self.read) for _ in range(READERS)]

    @contextmanager
    def reading(self) -> Iterator[None]:
        for thread in self.threads:
            thread.start()
        try:
            yield
        finally:
            self.done.set()
            for thread in self.threads:
                thread.join()

    def read(self) -> None:
        with httpx.Client(base_url=self.server.url) as client:
            while not self.done.is_set():
                floor = self.committed
                response = client.get(self.path)
                possible = self.history[floor:]
                seen = self.seen(response)
                with self.lock:
                    self.reads += 1
                    self.hits += response.headers["X-Cache"] == "hit"
                    if seen not in possible:
                        self.stale.append(f"{seen} when {possible} was right")

    def seen(self, response: httpx.Response) -> str | None:
        if "slug" in self.path:
            return response.json()["title"] if response.status_code == 200 else None
        items = response.json()["items"]
        return items[0]["title"] if items else None


@pytest.mark.parametrize("path", ["/api/v1/posts/by-slug/subject", "/api/v1/posts?tag=subject"])
def test_a_read_after_a_commit_shows_it(server: Server, token: str, path: str) -> None:
    history: list[str | None] = [None]
    readers = Readers(server, path, history)
    steps = cycle(["create", "title", "title", "title", "unpublish", "publish", "title", "delete"])
    titles = map("Title {}".format, count())
    with (
        httpx.Client(base_url=f"{server.url}/api/v1", headers={"Authorization": token}) as api_client,
        httpx.Client(base_url=server.url, follow_redirects=True) as browser,
        orm_writer(server) as orm,
    ):
        api = APIWriter(api_client)
        writers: Iterator[APIWriter | ORMWriter | AdminWriter] = cycle([api, orm, AdminWriter(browser, api)])
        current: str | None = None
        with readers.reading():
            for step, text in zip(steps, titles, strict=False):
                if step in ("create", "title"):
                    current = text
                history.append(None if step in ("unpublish", "delete") else current)
                next(writers).do(step, text)
                readers.committed = len(history) - 1
                time.sleep(0.01)
                if step == "delete" and readers.reads >= READS / 2 and len(history) > 100:
                    break
    assert readers.stale == []
    assert readers.hits > readers.reads / 10


def test_a_scheduled_post_appears_on_time_in_a_cached_list(server: Server, token: str) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=2)
    body = {"title": "On time", "content": "", "tags": ["timed"], "published": True, "published_at": moment.isoformat()}
    created = httpx.post(f"{server.url}/api/v1/posts", json=body, headers={"Authorization": token})
    assert created.json()["status"] == "scheduled"
    early = late = hits = 0
    with httpx.Client(base_url=server.url) as client:
        while late < 50:
            sent = datetime.now(UTC)
            response = client.get("/api/v1/posts?tag=timed")
            received = datetime.now(UTC)
            shown = bool(response.json()["items"])
            hits += response.headers["X-Cache"] == "hit"
            if received < moment:
                assert not shown
                early += 1
            elif sent >= moment:
                assert shown
                late += 1
    assert early > 50
    assert hits > early


def test_private_responses_are_never_cached(server: Server, token: str) -> None:
    with httpx.Client(base_url=f"{server.url}/api/v1") as client:
        for path in ("/posts?status=draft", "/posts?status=all", "/users/me"):
            for _ in range(3):
                mine = client.get(path, headers={"Authorization": token})
                assert (mine.status_code, mine.headers["X-Cache"]) == (200, "bypass")
                assert mine.headers["Cache-Control"] == "private, no-store"
        drafts = client.get("/posts?status=draft", headers={"Authorization": token}).json()["items"]
        assert drafts
        for _ in range(3):
            assert client.get("/posts?status=draft").json()["items"] == []
            public = {post["status"] for post in client.get("/posts?status=all").json()["items"]}
            assert public == {"published"}
            assert client.get("/users/me").status_code == 401
            assert client.get(f"/posts/{drafts[0]['id']}").status_code == 404
