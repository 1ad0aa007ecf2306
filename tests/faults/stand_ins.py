"""A file server and a data set that are slow and count how often they are asked."""

import http.server
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from windtunnel.data.cache import Decoded, fill_array
from windtunnel.data.spec import DatasetSpec

CONTENT = bytes(range(256)) * 1000


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT whatever is asked for."""

    def do_GET(self):
        self.server.requests.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *arguments):
        """Stay quiet."""


@dataclass
class SlowReader:
    """A data set of five images that takes a moment to decode, and counts how often it was."""

    path: Path
    pause_s: float = 0.2
    decoded: int = 0
    recipe: str = "toy"

    def files(self):
        return (self.path,)

    def decode(self, allocate):
        self.decoded += 1
        time.sleep(self.pause_s)
        fill_array(allocate, "train", np.full((5, 4, 4, 3), 7, dtype=np.uint8))
        return Decoded(DatasetSpec("toy", ("a", "b"), 3, (4, 4)), {"train": np.arange(5, dtype=np.int64) % 2})
