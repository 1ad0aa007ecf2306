"""SIGKILL at moments that nobody chose: what is on disk is whole, and the next process goes on from it."""

import hashlib
import http.server
import json
import random
import subprocess
import sys
import threading
import time

import pytest

from windtunnel.data.fetch import fetch_set
from windtunnel.data.mirrors import Form, RemoteFile

WRITE_ON = """
import json, sys
from pathlib import Path
from windtunnel.core.files import append_bytes, cut_torn_line, remove_leftovers, write_json
folder = Path(sys.argv[1])
state, lines = folder / "state.json", folder / "lines.jsonl"
remove_leftovers(folder)
cut_torn_line(lines)
number = json.loads(state.read_text())["number"] if state.exists() else 0
print("begun", flush=True)
while True:
    number += 1
    append_bytes(lines, json.dumps({"number": number, "text": "x" * 5000}).encode() + b"\\n")
    write_json(state, {"number": number, "text": "x" * 200_000})
"""
FETCH = """
import sys
from pathlib import Path
from windtunnel.data.fetch import fetch_set
from windtunnel.data.mirrors import Form, RemoteFile
folder, url, digest, size = Path(sys.argv[1]), *sys.argv[2:]
print("begun", flush=True)
fetch_set("toy", folder, [Form((RemoteFile("a", digest, int(size), (url,)),))])
"""


def kill_soon(script, *words, after_s):
    """Start the script, and kill it so long after it has said that it begins."""
    command = [sys.executable, "-c", script, *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        time.sleep(after_s)
        process.kill()


def test_files_are_whole_and_go_on_after_each_kill(find_damage, tmp_path):
    chance, before = random.Random(0), 0
    for _ in range(6):
        kill_soon(WRITE_ON, tmp_path, after_s=chance.uniform(0.0, 0.05))
        assert find_damage(tmp_path) == []
        lines = (tmp_path / "lines.jsonl").read_bytes().split(b"\n")[:-1] if (tmp_path / "lines.jsonl").exists() else []
        numbers = [json.loads(line)["number"] for line in lines]
        state = tmp_path / "state.json"
        number = json.loads(state.read_text())["number"] if state.exists() else 0
        assert number >= before
        assert set(numbers) >= set(range(1, number + 1))
        assert max(numbers, default=0) <= number + 1
        before = number
    assert before > 0


CONTENT = bytes(range(256)) * 4096


class SlowHandler(http.server.BaseHTTPRequestHandler):
    """Sends CONTENT a little at a time, from where it is asked to."""

    def do_GET(self):
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        self.server.starts.append(start)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        try:
            for place in range(start, len(CONTENT), 2**15):
                self.wfile.write(CONTENT[place : place + 2**15])
                time.sleep(self.server.pause_s)
        except (BrokenPipeError, ConnectionResetError):
            return

    def log_message(self, *arguments):
        """Stay quiet."""


@pytest.fixture
def slow_server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), SlowHandler) as running:
        running.starts, running.pause_s = [], 0.02
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_download_goes_on_after_each_kill(slow_server, tmp_path):
    url = f"http://127.0.0.1:{slow_server.server_address[1]}/a"
    digest = hashlib.sha256(CONTENT).hexdigest()
    for _ in range(2):
        kill_soon(FETCH, tmp_path, url, digest, len(CONTENT), after_s=0.3)
        assert not (tmp_path / "a").exists()
    slow_server.pause_s = 0.0
    (path,) = fetch_set("toy", tmp_path, [Form((RemoteFile("a", digest, len(CONTENT), (url,)),))])
    assert path.read_bytes() == CONTENT
    assert slow_server.starts == sorted(slow_server.starts)
    assert slow_server.starts[-1] > 0
