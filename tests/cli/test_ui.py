import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from catalog.folders import make_run
from windtunnel.cli import ui


@pytest.fixture
def taken():
    """A port that somebody serves at."""
    with contextlib.closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_folder_that_is_not_there_is_refused_with_a_remedy(cli, tmp_path):
    refused = cli("ui", str(tmp_path / "missing"), "--no-open")
    assert refused.code == 2
    assert f"there is no folder {tmp_path}/missing" in refused.err
    assert "windtunnel train quickstart" in refused.err


def test_a_file_is_no_folder(cli, tmp_path):
    (tmp_path / "file").touch()
    refused = cli("ui", str(tmp_path / "file"))
    assert (refused.code, "is not a folder" in refused.err) == (2, True)


def test_a_port_in_use_is_refused_with_a_free_one(cli, tmp_path, taken):
    refused = cli("ui", str(tmp_path), "--port", str(taken), "--no-open")
    assert refused.code == 2
    free = int(re.search(rf"--port: {taken} is in use; (\d+) is free", refused.err)[1])
    with contextlib.closing(socket.socket()) as server:
        server.bind(("127.0.0.1", free))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--host", "no.such.host.invalid"), "--host: 'no.such.host.invalid' is no address"),
        (("--host", "203.0.113.7"), "--host: 203.0.113.7 cannot be bound"),
        (("--token", " "), "--token: is empty"),
        (("--port", "0"), "--port"),
        (("--port", "70000"), "--port"),
    ],
)
def test_what_cannot_be_served_is_refused(cli, tmp_path, words, told):
    refused = cli("ui", str(tmp_path), "--no-open", *words)
    assert refused.code == 2
    assert told in refused.err


def test_a_missing_extra_is_named(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(ui, "find_spec", lambda name: None if name == "starlette" else object())
    refused = cli("ui", str(tmp_path))
    assert refused.code == 2
    assert "needs starlette: pip install 'windtunnel[ui]'" in refused.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)])
def test_it_prints_its_address_and_ends_at_once_when_asked_to(tmp_path, number, code):
    make_run(tmp_path / "p/one")
    command = [sys.executable, "-m", "windtunnel.cli.main", "ui", "--no-open"]
    environment = {**os.environ, "WINDTUNNEL_RUNS_DIR": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        try:
            port = int(re.search(rb"http://127.0.0.1:(\d+)/", server.stdout.readline())[1])
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as stream:
                stream.request("GET", "/api/events")
                assert stream.getresponse().readline() == b"event: hello\n"
                begun = time.monotonic()
                server.send_signal(number)
                out, err = server.communicate(timeout=60)
            assert time.monotonic() - begun < 20  # an open stream would keep it for as long as the page is open
        finally:
            server.kill()
    assert (server.returncode, err) == (code, b"")
    assert out.endswith(b"stopped\n") == (number == signal.SIGINT)
