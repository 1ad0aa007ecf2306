"""Dispatchers and workers killed with SIGKILL: nothing is lost, nothing is run twice."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dispatch.fakes import MIB
from windtunnel.dispatch.control import Wish, send_wish
from windtunnel.dispatch.devices import Device
from windtunnel.dispatch.journal import read_journal
from windtunnel.dispatch.processes import GatedProcess, identify, signal_group
from windtunnel.dispatch.types import Estimate

RUN = "import sys; from pathlib import Path; from dispatch.fakes import Kit; Kit(Path(sys.argv[1])).run(*sys.argv[2:])"


def start_dispatcher(kit, *ids):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.Popen([sys.executable, "-c", RUN, str(kit.folder), *ids], env=environment)


def events(kit, name):
    path = kit.folder / "dispatch/journal.jsonl"
    return [event for event in read_journal(path) if event["event"] == name]


def wait_for(condition):
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def kill(dispatcher):
    dispatcher.kill()
    dispatcher.wait()


def test_a_living_worker_is_taken_over(kit):
    dispatcher = start_dispatcher(kit, "slowish-1")
    wait_for(lambda: events(kit, "progress"))
    kill(dispatcher)
    outcome = kit.run("slowish-1")["slowish-1"]
    assert (outcome.status, outcome.attempts) == ("finished", 1)
    assert kit.epochs("slowish-1") == [1] * 6
    assert [event["epoch"] for event in events(kit, "progress")] == [1, 2, 3, 4, 5, 6]


def test_what_a_run_needs_on_another_kind_of_device_is_asked_anew(kit):
    control = kit.folder / "dispatch/control.jsonl"
    control.parent.mkdir()
    send_wish(control, Wish("pause"))
    dispatcher = start_dispatcher(kit, "ok-1", "ok-2")
    wait_for(lambda: len(events(kit, "estimated")) == 2)
    kill(dispatcher)
    send_wish(control, Wish("resume"))
    gpu = Device("cuda:0", "cuda", 16_000 * MIB, uuid="GPU-0")
    there = Estimate(bytes=500 * MIB, parts={"context": 400 * MIB}, seconds=1.0, source="given")
    kit.run("ok-1", "ok-2", device=gpu, estimate=lambda experiment: there)
    assert [event["reserved_bytes"] for event in events(kit, "admitted")] == [500 * MIB] * 2


def test_a_worker_that_died_with_its_dispatcher_is_continued_and_not_blamed(kit):
    for _ in range(2):
        dispatcher = start_dispatcher(kit, "slowish-1")
        before = len(events(kit, "progress"))
        wait_for(lambda before=before: len(events(kit, "progress")) > before)
        kill(dispatcher)
        signal_group(events(kit, "admitted")[-1]["pid"], signal.SIGKILL)
    outcome = kit.run("slowish-1")["slowish-1"]
    assert (outcome.status, outcome.attempts) == ("finished", 3)
    assert [event["cause"] for event in events(kit, "requeued")] == ["lost", "lost"]
    assert len(kit.epochs("slowish-1")) == 6


def test_a_run_that_ended_while_nobody_watched_counts(kit):
    dispatcher = start_dispatcher(kit, "ok-1", "diverges-1")
    beats = [kit.folder / f"dispatch/jobs/{id}/heartbeat.json" for id in ("ok-1", "diverges-1")]
    wait_for(lambda: all(beat.exists() for beat in beats))  # before that they wait at the gate, and leave
    kill(dispatcher)
    wait_for(lambda: all((kit.folder / f"dispatch/jobs/{id}/result-1.json").exists() for id in ("ok-1", "diverges-1")))
    outcomes = kit.run("ok-1", "diverges-1")
    assert {id: (outcome.status, outcome.attempts) for id, outcome in outcomes.items()} == {
        "ok-1": ("finished", 1),
        "diverges-1": ("diverged", 1),
    }


def test_a_gated_process_leaves_when_nobody_lets_it_go(tmp_path):
    mark = tmp_path / "ran"
    program = (
        "import os, sys; from pathlib import Path; from windtunnel.dispatch.processes import GatedProcess;"
        "worker = GatedProcess(['touch', sys.argv[1]], environment=dict(os.environ), log=Path(sys.argv[2]));"
        "print(worker.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(mark), str(tmp_path / "log")], capture_output=True, text=True, check=False
    )
    wait_for(lambda: identify(int(done.stdout)) is None)
    assert not mark.exists()


def test_a_gated_process_becomes_its_command_in_a_group_of_its_own(tmp_path):
    worker = GatedProcess(["sleep", "60"], environment=dict(os.environ), log=tmp_path / "log")
    worker.release()
    assert os.getpgid(worker.pid) == worker.pid
    assert identify(worker.pid) == worker.identity
    assert signal_group(worker.pid, signal.SIGKILL)
    wait_for(lambda: worker.exit_code() is not None)
    assert worker.exit_code() == -signal.SIGKILL
    assert identify(worker.pid) is None


@pytest.mark.parametrize("pid", [2**22 + 1])
def test_nobody_is_identified_as_nobody(pid):
    assert identify(pid) is None
    assert not signal_group(pid, signal.SIGTERM)
