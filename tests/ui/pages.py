"""Real servers in threads and the plainest of clients, which sends paths and headers as it is told to."""

import contextlib
import http.client
import json
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlencode

from windtunnel.ui.serve import Place, build_server

WAIT_S = 20.0


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body, parse_constant=lambda name: 1 / 0)  # no NaN, no Infinity


class Page:
    """A running server."""

    def __init__(self, root, **options):
        self.address = ""
        ready = threading.Event()

        def tell(address):
            self.address = address
            ready.set()

        self.server, self.bound = build_server(root, Place(port=0, **options), tell=tell)
        self.port = self.bound.getsockname()[1]
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.bound]}, daemon=True)
        self.thread.start()
        assert ready.wait(WAIT_S)

    def ask(self, path, method="GET", body=None, **headers):
        """Ask for a path as it is; ``Host`` is the server's own unless told otherwise."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)) as connection:
            connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
            if body is not None:
                headers = {"Content-Type": "application/json", **headers, "Content-Length": str(len(body))}
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    def get(self, name, query=(), **headers):
        """Ask the API."""
        return self.ask(f"/api/{name}" + (f"?{urlencode(query, doseq=True)}" if query else ""), **headers)

    def wish(self, values, **headers):
        """Ask for a change of a queue."""
        return self.ask("/api/queue", "POST", json.dumps(values).encode(), **headers)

    @contextlib.contextmanager
    def events(self):
        """Yield a function that waits for the next event of the stream."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)) as connection:
            connection.request("GET", "/api/events")
            answer = connection.getresponse()
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield lambda: read_event(answer)

    def close(self):
        """Stop the server and return how long that took."""
        begun = time.monotonic()
        self.server.should_exit = True
        self.thread.join(WAIT_S)
        self.bound.close()
        assert not self.thread.is_alive()
        return time.monotonic() - begun


def read_event(answer):
    """Return the name and the values of the next event; None at the end of the stream."""
    lines = []
    while (line := answer.readline()) not in (b"\n", b""):
        if not line.startswith(b":"):
            lines.append(line.decode().rstrip("\n"))
    if not lines:
        return None
    parts = dict(line.split(": ", 1) for line in lines)
    return parts["event"], json.loads(parts["data"])
