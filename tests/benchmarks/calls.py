"""One HTTP request of a measurement: as the bytes that a load sends again and again, and sent once, to look at."""

from dataclasses import dataclass
from http.client import HTTPConnection

HOST = "127.0.0.1"
TIMEOUT = 30

NUMBER = "@@@@@@@@@"
"""Stands in a body where each repetition puts a number of its own, of as many digits."""


@dataclass(frozen=True)
class Call:
    """A request, with a JSON body if there is one, and a bearer token if there is one."""

    path: str
    method: str = "GET"
    body: str = ""
    token: str = ""

    @property
    def headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if self.body:
            headers["Content-Type"] = "application/json"
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return headers

    def raw(self, port: int) -> bytes:
        """The request as it goes over a connection that is kept alive."""
        body = self.body.encode()
        headers = {"Host": f"{HOST}:{port}", **self.headers}
        if self.method != "GET":
            headers["Content-Length"] = str(len(body))
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def send(self, port: int, *, number: int = 0) -> tuple[int, bytes]:
        """Send the request on a connection of its own, and return the status and the body of the answer."""
        connection = HTTPConnection(HOST, port, timeout=TIMEOUT)
        try:
            body = self.body.replace(NUMBER, f"{number:0{len(NUMBER)}}").encode()
            connection.request(self.method, self.path, body or None, self.headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()
