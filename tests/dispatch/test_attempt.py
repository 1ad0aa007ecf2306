"""One worker as the dispatcher sees it: how it ended when it did not say so, and whether it lives."""

import json
import os
import signal
import subprocess

import pytest

from dispatch.fakes import EXPERIMENT, MIB
from windtunnel.dispatch import attempt as watching
from windtunnel.dispatch.attempt import Attempt
from windtunnel.dispatch.order import OUT_OF_MEMORY_EXIT, STORAGE_EXIT, Heartbeat, Order, Result
from windtunnel.dispatch.processes import identify
from windtunnel.dispatch.state import Placement, RunState
from windtunnel.dispatch.types import Job


class Ended:
    """A worker's process that has ended."""

    pid, identity = 2**22 + 1, ""

    def __init__(self, code):
        self.code = code

    def release(self):
        pass

    def exit_code(self):
        return self.code


def make(folder, process=None, pid=2**22 + 1, identity="", **known):
    order = Order("a", 2, "", "", str(folder / "heartbeat.json"), str(folder / "result.json"))
    run = RunState("a", "", placement=Placement("cpu", pid, identity, 10 * MIB))
    return Attempt(Job("a", EXPERIMENT, folder), run, order, process=process, **known)


@pytest.mark.parametrize(
    ("code", "cause", "reason"),
    [
        (OUT_OF_MEMORY_EXIT, "memory", "its worker ran out of memory"),
        (STORAGE_EXIT, "storage", "its worker found the disk full or read-only"),
        (-signal.SIGSEGV, "crash", "its worker ended without a result: killed by SIGSEGV"),
        (3, "crash", "its worker ended without a result: exit code 3"),
        (None, "lost", "its worker was gone when the dispatcher came back"),
    ],
)
def test_an_end_without_a_word_is_told_by_the_exit_code(tmp_path, code, cause, reason):
    process = None if code is None else Ended(code)
    beat = Heartbeat(2, peak_bytes=7 * MIB)
    assert make(tmp_path, process, heartbeat=beat).read_result() == Result(2, cause, reason, 7 * MIB)


def test_what_the_worker_said_counts_before_anything_else(tmp_path):
    attempt = make(tmp_path, Ended(-9))
    attempt.killed_for = "hung"
    said = Result(2, "finished", "all epochs trained", 5)
    said.write(tmp_path / "result.json")
    assert attempt.read_result() == said


def test_what_an_earlier_worker_of_the_run_said_does_not_count(tmp_path):
    Result(1, "finished", "all epochs trained", 5).write(tmp_path / "result.json")
    Heartbeat(1, step=9).write(tmp_path / "heartbeat.json")
    attempt = make(tmp_path, Ended(3))
    attempt.observe()
    assert attempt.heartbeat is None
    assert attempt.read_result().cause == "crash"


def test_why_it_was_killed_counts_before_the_runs_summary_and_that_before_the_exit_code(tmp_path):
    (tmp_path / "summary.json").write_text(json.dumps({"status": "diverged", "reason": "not finite"}))
    assert make(tmp_path, Ended(-9)).read_result() == Result(2, "diverged", "not finite", None)
    killed = make(tmp_path, Ended(-9))
    killed.kill("over its share", cause="memory")
    assert killed.read_result() == Result(2, "memory", "over its share", None)


def test_a_summary_of_an_interrupted_run_is_no_end(tmp_path):
    (tmp_path / "summary.json").write_text(json.dumps({"status": "interrupted", "reason": "SIGTERM"}))
    assert make(tmp_path, Ended(1)).read_result().cause == "crash"


def test_a_process_that_is_gone_is_waited_for_a_moment_to_be_told_its_exit_code(tmp_path, monkeypatch):
    process = Ended(None)
    attempt = make(tmp_path, process, identity="of a process that is gone")
    assert not attempt.has_ended()
    process.code = 1
    assert attempt.has_ended()
    silent = make(tmp_path, Ended(None), identity="of a process that is gone")
    monkeypatch.setattr(watching, "_UNTOLD_S", -1.0)
    assert silent.has_ended()


def test_a_worker_taken_over_lives_while_its_process_is_the_same(tmp_path):
    worker = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        same, other = (make(tmp_path, pid=worker.pid, identity=one) for one in (identify(worker.pid), "another boot"))
        assert (same.has_ended(), other.has_ended()) == (False, True)
        assert same.spent_seconds is None
        other.kill("not ours", cause="crash")
        assert worker.poll() is None, "a process that is not the worker is left alone"
        same.kill("ours", cause="crash")
        assert worker.wait(60) == -signal.SIGKILL
    finally:
        worker.kill()


def test_a_newcomer_warms_up_until_its_first_steps_or_for_a_while(tmp_path):
    attempt = make(tmp_path, Ended(None))
    assert attempt.is_warming_up(3, 60.0)
    assert not attempt.is_warming_up(3, -1.0)
    attempt.heartbeat = Heartbeat(2, step=2)
    assert attempt.is_warming_up(3, 60.0)
    for seen in (Heartbeat(2, step=3), Heartbeat(2, step=2, reports=1)):
        attempt.heartbeat = seen
        assert not attempt.is_warming_up(3, 60.0)


def test_of_ten_paces_the_slowest_and_the_fastest_bound_what_is_left(tmp_path):
    attempt = make(tmp_path, Ended(None), pid=os.getpid())
    for step in range(1, 13):
        Heartbeat(2, beat=step, step=step, total_steps=112, step_seconds=float(step)).write(tmp_path / "heartbeat.json")
        attempt.observe()
    assert attempt.remaining_seconds() == (300.0, 1200.0)
    attempt.forget_pace()
    assert attempt.remaining_seconds() is None
