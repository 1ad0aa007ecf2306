"""A file server for downloads that are killed: slow, and goes on from where it is asked to. ``file_server.py NUMBER``.

Prints its port, and ends with its standard input.
"""

import http.server
import random
import sys
import threading
import time

NAMES = ("train.bin", "test.bin")
SIZE = 3 * 2**20
_CHUNK, _PAUSE_S = 2**17, 0.01


def make_content(name: str) -> bytes:
    """Return the bytes of a file; the same each time."""
    return random.Random(name).randbytes(SIZE)


class Handler(http.server.BaseHTTPRequestHandler):
    """Sends the named file a little at a time."""

    def do_GET(self) -> None:
        """Answer, from the byte that was asked for."""
        content = make_content(self.path.strip("/"))
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{SIZE - 1}/{SIZE}")
        self.send_header("Content-Length", str(SIZE - start))
        self.end_headers()
        try:
            for place in range(start, SIZE, _CHUNK):
                self.wfile.write(content[place : place + _CHUNK])
                time.sleep(_PAUSE_S)
        except (BrokenPipeError, ConnectionResetError):  # whoever asked has been killed
            return

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


def main() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_address[1], flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
