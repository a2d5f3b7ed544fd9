"""An HTTP request of a measurement. It can be sent once, or turned into the bytes that the load sends repeatedly."""

from dataclasses import dataclass
from http.client import HTTPConnection

HOST = "127.0.0.1"
TIMEOUT = 30

NUMBER = "@@@@@@@@@"
"""A placeholder in a body. Each repetition replaces it by another number with as many digits."""


@dataclass(frozen=True)
class Request:
    """A request. Its JSON body and its bearer token may be empty."""

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
        """Return the bytes of the request, for a connection that is kept alive."""
        body = self.body.encode()
        headers = {"Host": f"{HOST}:{port}", **self.headers}
        if self.method != "GET":
            headers["Content-Length"] = str(len(body))
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def send(self, port: int, *, number: int = 0) -> tuple[int, bytes]:
        """Send the request on a new connection, and return the status and the body of the response."""
        connection = HTTPConnection(HOST, port, timeout=TIMEOUT)
        try:
            body = self.body.replace(NUMBER, f"{number:0{len(NUMBER)}}").encode()
            connection.request(self.method, self.path, body or None, self.headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()
