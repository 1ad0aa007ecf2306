"""MPS, with a stand-in for its control program on the PATH."""

import os
import time

import pytest

from windtunnel.core import mps
from windtunnel.dispatch.mps import run_daemon
from windtunnel.dispatch.settings import StorageError
from windtunnel.errors import UsageError

CONTROL = """#!/bin/sh
if [ "$1" = -d ]; then
    [ -e "$FAKE_MPS_BROKEN" ] && { echo "no GPU" >&2; exit 1; }
    echo start >> "$FAKE_MPS_LOG"
    [ -e "$FAKE_MPS_BROKEN.keeps" ] && sleep 15 &
    touch "$CUDA_MPS_PIPE_DIRECTORY/control"
    exit 0
fi
read command
[ -e "${CUDA_MPS_PIPE_DIRECTORY:-/nowhere}/control" ] || exit 1
[ "$command" = quit ] && { echo quit >> "$FAKE_MPS_LOG"; rm "$CUDA_MPS_PIPE_DIRECTORY/control"; }
exit 0
"""


@pytest.fixture
def log(tmp_path, monkeypatch):
    """The stand-in's record of what it was told."""
    program = tmp_path / "bin" / mps.CONTROL
    program.parent.mkdir()
    program.write_text(CONTROL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_MPS_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("FAKE_MPS_BROKEN", str(tmp_path / "broken"))
    monkeypatch.delenv(mps.PIPE_VARIABLE, raising=False)
    return tmp_path / "log"


def test_a_daemon_is_started_for_the_block_and_stopped_after_it(tmp_path, log):
    assert mps.describe_gpu_sharing() == "time slices"
    with run_daemon(tmp_path / "dispatch"):
        assert mps.describe_gpu_sharing() == "MPS"
    assert log.read_text().split() == ["start", "quit"]
    assert mps.PIPE_VARIABLE not in os.environ
    assert mps.describe_gpu_sharing() == "time slices"


def test_a_daemon_that_keeps_its_output_open_is_not_waited_for(tmp_path, log):
    (tmp_path / "broken.keeps").touch()
    begun = time.monotonic()
    with run_daemon(tmp_path / "dispatch"):
        assert time.monotonic() - begun < 14


def test_the_users_own_daemon_is_used_and_left_alone(tmp_path, log, monkeypatch):
    monkeypatch.setenv(mps.PIPE_VARIABLE, str(tmp_path))
    (tmp_path / "control").touch()
    with run_daemon(tmp_path / "dispatch"):
        assert os.environ[mps.PIPE_VARIABLE] == str(tmp_path)
    assert not log.exists()


def test_a_daemon_whose_dispatcher_died_is_found_again(tmp_path, log):
    with pytest.raises(KeyboardInterrupt), run_daemon(tmp_path / "dispatch"):
        raise KeyboardInterrupt
    with run_daemon(tmp_path / "dispatch"):
        pass
    assert log.read_text().split() == ["start", "quit"]


def test_a_daemon_whose_sweep_stopped_for_want_of_space_is_stopped(tmp_path, log):
    with pytest.raises(StorageError), run_daemon(tmp_path / "dispatch"):
        raise StorageError("no space left", tmp_path)
    assert log.read_text().split() == ["start", "quit"]


def test_a_daemon_that_does_not_come_up_is_said(tmp_path, log):
    (tmp_path / "broken").touch()
    with pytest.raises(UsageError, match="did not start: no GPU"), run_daemon(tmp_path / "dispatch"):
        pass


def test_without_mps_runs_take_turns_and_asking_for_it_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert mps.describe_gpu_sharing() == "time slices"
    with pytest.raises(UsageError, match=f"there is no {mps.CONTROL} on the PATH"), run_daemon(tmp_path / "dispatch"):
        pass
