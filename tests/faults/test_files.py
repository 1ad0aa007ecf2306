"""Files are written whole or not at all, whatever the disk does."""

import errno
import json
import os
import shutil
import subprocess
import sys
from contextlib import closing

import pytest

from catalog.folders import MadeRun
from windtunnel.core.files import (
    append_bytes,
    cut_torn_line,
    find_remedy,
    lacks_space,
    remove_leftovers,
    replacing,
    write_json,
    write_text,
)
from windtunnel.dispatch.control import Wish, read_wishes, send_wish
from windtunnel.dispatch.journal import Journal, read_journal
from windtunnel.errors import RunError

LONG = "x" * 200
ON_A_FULL_DISK = """
import sys
from pathlib import Path
from windtunnel.core.files import append_bytes, write_text
folder = Path(sys.argv[1])
write_text(folder / "old.txt", "old")
(folder / "lines.jsonl").write_bytes(b"1\\n")
for write, name, content in ((write_text, "old.txt", "x" * 10**6), (append_bytes, "lines.jsonl", b"2" * 10**6)):
    try:
        write(folder / name, content)
    except OSError as error:
        print(error.errno, Path(error.filename).name)
names = sorted(path.name for path in folder.iterdir())
print((folder / "old.txt").read_text(), (folder / "lines.jsonl").read_bytes(), names)
"""


@pytest.mark.parametrize("kind", ["full", "readonly", "denied"])
def test_a_failed_write_names_its_file_and_leaves_the_old_one(kind, failing, tmp_path):
    path = tmp_path / "summary.json"
    write_json(path, {"status": "finished"})
    for at in range(1, 10):
        with failing(tmp_path, kind, at) as disk:
            try:
                write_json(path, {"status": LONG})
            except OSError as error:
                assert str(error).endswith(f": {str(path)!r}")
                assert find_remedy(error)
        if not disk.has_failed:
            break
        assert json.loads(path.read_text())["status"] in ("finished", LONG)
        remove_leftovers(tmp_path)
        assert list(tmp_path.iterdir()) == [path]
    assert at > 2
    assert json.loads(path.read_text())["status"] == LONG


def test_an_append_is_taken_back_where_the_disk_took_a_part(failing, tmp_path):
    path = tmp_path / "points.jsonl"
    append_bytes(path, b'{"number": 0}\n')
    with failing(tmp_path, "full"), pytest.raises(OSError, match=r"points\.jsonl"):
        append_bytes(path, b'{"number": 1}\n')
    assert path.read_bytes() == b'{"number": 0}\n'


def test_a_disk_that_is_really_full(tmp_path):
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("a small file system of one's own can be mounted by root on Linux alone")
    mount = 'mount -t tmpfs -o size=64k none "$1" && exec "$2" -c "$3" "$1"'
    command = ["unshare", "-m", "sh", "-c", mount, "sh", str(tmp_path), sys.executable, ON_A_FULL_DISK]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said == [
        f"{errno.ENOSPC} old.txt",
        f"{errno.ENOSPC} lines.jsonl",
        "old b'1\\n' ['lines.jsonl', 'old.txt']",
    ]


def test_a_journal_that_met_a_full_disk_goes_on(failing, tmp_path):
    path = tmp_path / "journal.jsonl"
    with closing(Journal(path)) as journal:
        journal.append("opened", pid=1)
        with failing(tmp_path, "full"):
            (tmp_path / "another").touch()
            with pytest.raises(OSError, match=r"journal\.jsonl"):
                journal.append("opened", pid=2, why=LONG)
        journal.append("opened", pid=3)
    assert [event["pid"] for event in read_journal(path)] == [1, 3]


def test_a_wish_that_met_a_full_disk_does_not_stop_later_ones(failing, tmp_path):
    path = tmp_path / "control.jsonl"
    with failing(tmp_path, "full"), pytest.raises(OSError, match=r"control\.jsonl"):
        send_wish(path, Wish("cancel", LONG))
    path.write_bytes(b'{"command": "can\n')  # as left by versions that did not take such a wish back
    send_wish(path, Wish("pause"))
    assert [wish["command"] for wish in read_wishes(path, 0)] == ["pause"]


def test_events_of_a_run_that_goes_on_begin_on_a_line_of_their_own(tmp_path):
    (tmp_path / "events.jsonl").write_bytes(b'{"event": "start"}\n{"event": "ep')
    MadeRun(tmp_path)
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["start", "start"]


def test_what_a_killed_process_left_is_removed(tmp_path):
    with pytest.raises(KeyError), replacing(tmp_path / "state.pt"):
        raise KeyError
    (tmp_path / ".state.pt.abcd.tmp").write_bytes(b"half")
    write_text(tmp_path / "other.txt", "")
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["other.txt"]


def test_a_torn_line_is_cut_and_nothing_else(tmp_path):
    path = tmp_path / "lines"
    for content, left in ((b"a\nb", b"a\n"), (b"a\nb\n", b"a\nb\n"), (b"half", b""), (b"", b"")):
        path.write_bytes(content)
        cut_torn_line(path)
        assert path.read_bytes() == left


def test_a_full_disk_is_found_behind_what_it_led_to():
    error = RunError("the run stopped")
    error.__cause__ = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert lacks_space(error)
    assert not lacks_space(RunError("the run stopped"))
    assert not lacks_space(OSError(errno.ENOENT, os.strerror(errno.ENOENT)))


def test_a_forbidden_file_concerns_the_disk_only_where_the_run_writes(tmp_path):
    def refuse(path):
        error = RunError("the run stopped")
        error.__cause__ = PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return error

    assert lacks_space(refuse(tmp_path / "run/metrics.csv"), tmp_path / "run")
    assert not lacks_space(refuse(tmp_path / "data/a.png"), tmp_path / "run")
    assert not lacks_space(refuse(tmp_path / "run/metrics.csv"))
