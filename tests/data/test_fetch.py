"""Fetching from a real HTTP server on this machine."""

import hashlib
import http.server
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from windtunnel.cli.main import main
from windtunnel.data import fetch
from windtunnel.data.fetch import fetch_set
from windtunnel.data.mirrors import MIRRORS, Form, RemoteFile
from windtunnel.errors import DataError

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; the first part of the path says how well."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        how = self.path.split("/")[1]
        self.server.requests.append((self.path, self.headers.get("Range")))
        getattr(self, f"send_{how}")(self._start())

    def _start(self):
        header = self.headers.get("Range")
        return int(header.removeprefix("bytes=").removesuffix("-")) if header else 0

    def _send(self, status, body, length=None, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def send_good(self, start):
        if start:
            self._send(206, CONTENT[start:], Content_Range=f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        else:
            self._send(200, CONTENT)

    def send_norange(self, start):
        self._send(200, CONTENT)

    def send_truncated(self, start):
        self._send(200, CONTENT[:400_000], length=len(CONTENT))
        self.close_connection = True

    def send_flaky(self, start):
        """Send 400,000 bytes a request, then hang up."""
        end = min(start + 400_000, len(CONTENT))
        if start:
            span = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
            self._send(206, CONTENT[start:end], length=len(CONTENT) - start, Content_Range=span)
        else:
            self._send(200, CONTENT[:end], length=len(CONTENT))
        self.close_connection = True

    def send_wrong(self, start):
        self._send(200, bytes(len(CONTENT)))

    def send_long(self, start):
        self._send(200, CONTENT + b"more")

    def send_missing(self, start):
        self._send(404, b"")

    def send_unsatisfiable(self, start):
        self._send(416 if start else 200, b"" if start else CONTENT)

    def log_message(self, *arguments):
        """Stay quiet."""


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.requests = []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def url(server, how, name="a.bin"):
    return f"http://127.0.0.1:{server.server_address[1]}/{how}/{name}"


def form(server, *hows, name="a.bin"):
    return Form((RemoteFile(name, SHA256, len(CONTENT), tuple(url(server, how, name) for how in hows)),))


def test_a_good_file_is_stored_and_reported(server, tmp_path):
    seen = []
    paths = fetch_set("toy", tmp_path / "toy", [form(server, "good")], lambda *report: seen.append(report))
    assert paths == [tmp_path / "toy" / "a.bin"]
    assert paths[0].read_bytes() == CONTENT
    assert seen[-1] == ("a.bin", len(CONTENT), len(CONTENT))
    assert len(seen) > 1


def test_a_file_that_is_there_is_not_fetched_again(server, tmp_path):
    for _ in range(2):
        fetch_set("toy", tmp_path, [form(server, "good")])
    assert len(server.requests) == 1


def test_a_damaged_file_that_is_there_is_fetched_again(server, tmp_path):
    (tmp_path / "a.bin").write_bytes(bytes(len(CONTENT)))
    fetch_set("toy", tmp_path, [form(server, "good")])
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("how", ["missing", "wrong", "truncated", "long"])
def test_a_bad_mirror_is_passed_over(server, tmp_path, how):
    fetch_set("toy", tmp_path, [form(server, how, "good")])
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_mirror_that_is_down_is_passed_over(server, tmp_path):
    file = RemoteFile("a.bin", SHA256, len(CONTENT), ("http://127.0.0.1:9/a.bin", url(server, "good")))
    fetch_set("toy", tmp_path, [Form((file,))])
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_another_form_is_taken_when_one_cannot_be_had(server, tmp_path):
    two = Form((*form(server, "good").files, *form(server, "missing", name="b.bin").files))
    assert fetch_set("toy", tmp_path, [two, form(server, "good", name="c.bin")]) == [tmp_path / "c.bin"]


def test_an_interrupted_download_goes_on_where_it_stopped(server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:500_000])
    fetch_set("toy", tmp_path, [form(server, "good")])
    assert server.requests == [("/good/a.bin", "bytes=500000-")]
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_connection_that_keeps_ending_is_resumed(server, tmp_path):
    fetch_set("toy", tmp_path, [form(server, "flaky")])
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert [start for _, start in server.requests] == [None, "bytes=400000-", "bytes=800000-"]


@pytest.mark.parametrize("how", ["norange", "unsatisfiable"])
def test_a_server_that_cannot_resume_sends_it_whole(server, tmp_path, how):
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:500_000])
    fetch_set("toy", tmp_path, [form(server, how, how)])
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_part_from_elsewhere_is_thrown_away(server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(b"<html>log in first</html>" * 100)
    fetch_set("toy", tmp_path, [form(server, "good")])
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("how", ["wrong", "long"])
def test_a_wrong_file_leaves_nothing_behind(server, tmp_path, sets, how):
    with pytest.raises(DataError, match="the file there is another one"):
        fetch_set("toy", tmp_path, [form(server, how)])
    assert sets.list_files(tmp_path) == [".fetch.lock"]


def test_failure_tells_every_address_and_keeps_what_came(server, tmp_path):
    with pytest.raises(DataError) as caught:
        fetch_set("toy", tmp_path, [form(server, "missing", "truncated")])
    said = str(caught.value)
    assert f"{url(server, 'missing')}: HTTP 404" in said
    assert f"{url(server, 'truncated')}: the connection ended after 400000 of {len(CONTENT)} bytes" in said
    assert (tmp_path / "a.bin.part").read_bytes() == CONTENT[:400_000]
    assert not (tmp_path / "a.bin").exists()


def test_other_addresses_than_http_are_refused(tmp_path):
    (tmp_path / "secret").write_bytes(CONTENT)
    file = RemoteFile("a.bin", SHA256, len(CONTENT), (f"file://{tmp_path}/secret",))
    with pytest.raises(DataError, match="not an http address"):
        fetch_set("toy", tmp_path / "toy", [Form((file,))])


@pytest.mark.parametrize("switch", ["WINDTUNNEL_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_fetches_nothing_but_takes_what_is_there(server, tmp_path, monkeypatch, switch):
    monkeypatch.setenv(switch, "1")
    with pytest.raises(DataError, match="the network is switched off"):
        fetch_set("toy", tmp_path / "toy", [form(server, "good")])
    assert server.requests == []
    assert not (tmp_path / "toy").exists()
    (tmp_path / "a.bin").write_bytes(CONTENT)
    assert fetch_set("toy", tmp_path, [form(server, "good")]) == [tmp_path / "a.bin"]


def test_a_folder_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"cannot write toy to .*--into"):
        fetch_set("toy", tmp_path / "file" / "toy", [form(server, "good")])


def test_a_full_disk_is_said_so(server, tmp_path, monkeypatch):
    usage = fetch.shutil._ntuple_diskusage(100, 90, 10)
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DataError, match="1 MiB are needed and 0 MiB are free"):
        fetch_set("toy", tmp_path, [form(server, "good")])


def fetch_one(folder, address):
    """Run in a process of its own."""
    file = RemoteFile("a.bin", SHA256, len(CONTENT), (address,))
    print(json.dumps([str(path) for path in fetch_set("toy", Path(folder), [Form((file,))])]))


def test_two_processes_at_once_fetch_it_once(server, tmp_path, sets):
    script = "import runpy, sys; runpy.run_path(sys.argv[1])['fetch_one'](*sys.argv[2:])"
    command = [sys.executable, "-c", script, __file__, str(tmp_path / "toy"), url(server, "good")]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [json.loads(worker.communicate(timeout=120)[0]) for worker in workers]
    assert answers == [[str(tmp_path / "toy" / "a.bin")]] * 2
    assert len(server.requests) == 1
    assert sets.list_files(tmp_path / "toy") == [".fetch.lock", "a.bin"]


def run_fetch(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(["data", "fetch", *words])
    assert end.value.code in (0, None)
    return capsys.readouterr().out


def test_the_verb_fetches_into_a_folder_of_the_sets_name(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(MIRRORS, "mnist", (form(server, "good"),))
    said = run_fetch(capsys, "mnist", "--into", str(tmp_path))
    assert said == f"mnist: 1 files in {tmp_path}/mnist\nfound by name with WINDTUNNEL_DATA_DIR={tmp_path}\n"
    answer = json.loads(run_fetch(capsys, "mnist", "--into", str(tmp_path), "--json"))
    assert answer == {"set": "mnist", "files": [f"{tmp_path}/mnist/a.bin"]}


def test_the_verb_fetches_into_the_data_folder_else_the_cache(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(MIRRORS, "mnist", (form(server, "good"),))
    assert f"{tmp_path}/xdg/windtunnel/downloads/mnist" in run_fetch(capsys, "mnist")
    monkeypatch.setenv("WINDTUNNEL_DATA_DIR", str(tmp_path / "mine"))
    assert f"{tmp_path}/mine/mnist" in run_fetch(capsys, "mnist")


def test_the_verb_draws_a_bar_on_a_terminal(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(MIRRORS, "mnist", (form(server, "good"),))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with pytest.raises(SystemExit):
        main(["data", "fetch", "mnist", "--into", str(tmp_path)])
    assert "a.bin" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(MIRRORS))
def test_the_table_of_mirrors_is_well_formed(name):
    files = [file for form in MIRRORS[name] for file in form.files]
    assert all(len(bytes.fromhex(file.sha256)) == 32 and file.size > 0 for file in files)
    addresses = [(address, file.name) for file in files for address in file.urls]
    assert all(address.startswith("http") and address.endswith(f"/{name}") for address, name in addresses)
    assert len({address.split("/")[2] for address, _ in addresses}) >= 2
