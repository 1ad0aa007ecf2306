"""Workers forked from a server; the server here forks fakes, and has not imported torch."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from dispatch.fakes import FAKE_WORKER, SETTINGS, cpu
from windtunnel.dispatch.fixed import FixedJobs
from windtunnel.dispatch.forking import ForkError, ForkServers
from windtunnel.dispatch.journal import read_journal
from windtunnel.dispatch.order import GATE_CLOSED_EXIT, Order
from windtunnel.dispatch.processes import identify, wait_for_ends

SERVER = """
import runpy, sys, threading, time
from windtunnel.dispatch import fork_server

fake, words = sys.argv[2], sys.argv[3:]

def run_fake(order):
    try:
        runpy.run_path(fake, run_name="__main__")
    except SystemExit as ending:
        return ending.code or 0

fork_server.PRELOADED = ()
fork_server.run_order = run_fake
if words == ["thread"]:
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
fork_server.main()
"""
RUN = (
    "import sys; from pathlib import Path; from dispatch.fakes import Kit;"
    "from dispatch.test_forking import fork_fakes;"
    "Kit(Path(sys.argv[1])).run(*sys.argv[2:], fork=fork_fakes)"
)


SAME_PID = """
import json, socket, sys

connection = socket.socket(fileno=int(sys.argv[1]))
connection.send(json.dumps({"threads": 1}).encode())
for code in (7, None):
    socket.recv_fds(connection, 4096, 1)
    connection.send(json.dumps({"pid": 2**22 + 1}).encode())
    if code is not None:
        connection.send(json.dumps({"ended": 2**22 + 1, "code": code}).encode())
connection.recv(1)
"""


def fork_fakes(number, *words):
    return [sys.executable, "-c", SERVER, str(number), str(FAKE_WORKER), *words]


def fork_from_threads(number):
    return fork_fakes(number, "thread")


@pytest.fixture
def servers(tmp_path):
    servers = ForkServers(fork_fakes, tmp_path)
    yield servers
    servers.close()


def make_order(folder, job="ok-1"):
    files = {name: str(folder / f"{name}.json") for name in ("heartbeat", "result")}
    order = Order(job, 1, str(folder / "run"), "", **files)
    order.write(folder / "order.json")
    return folder / "order.json"


def server_process():
    return next(child for child in psutil.Process().children() if "fork_server" in " ".join(child.cmdline()))


def wait_for_code(worker):
    until = time.monotonic() + 120
    while worker.exit_code() is None and time.monotonic() < until:
        wait_for_ends([worker.pid], 1.0)
    return worker.exit_code()


def test_a_fork_waits_at_its_gate_leads_a_session_and_its_end_is_told(servers, tmp_path):
    worker = servers.start(cpu(), make_order(tmp_path, "crash-1"), tmp_path / "log.txt")
    time.sleep(0.1)
    assert not (tmp_path / "run").exists()
    assert os.getsid(worker.pid) == os.getpgid(worker.pid) == worker.pid
    assert worker.identity == identify(worker.pid)
    worker.release()
    assert wait_for_code(worker) == 1
    assert (tmp_path / "result.json").exists()


def test_a_fork_that_nobody_lets_go_leaves(servers, tmp_path):
    worker = servers.start(cpu(), make_order(tmp_path), tmp_path / "log.txt")
    os.close(worker._gate)
    worker._gate = None
    assert wait_for_code(worker) == GATE_CLOSED_EXIT
    assert not (tmp_path / "run").exists()


def test_a_killed_fork_is_told_by_its_signal(servers, tmp_path):
    worker = servers.start(cpu(), make_order(tmp_path), tmp_path / "log.txt")
    os.kill(worker.pid, signal.SIGKILL)
    worker.release()
    assert wait_for_code(worker) == -signal.SIGKILL


def test_a_process_id_that_comes_again_does_not_bring_its_exit_code(tmp_path):
    servers = ForkServers(lambda number: [sys.executable, "-S", "-c", SAME_PID, str(number)], tmp_path)
    first = servers.start(cpu(), make_order(tmp_path), tmp_path / "log.txt")
    assert wait_for_code(first) == 7
    second = servers.start(cpu(), make_order(tmp_path), tmp_path / "log.txt")
    assert (second.pid, second.exit_code()) == (first.pid, None)
    servers.close()


def test_a_server_with_threads_does_not_fork(tmp_path):
    servers = ForkServers(fork_from_threads, tmp_path)
    with pytest.raises(ForkError, match="it has 2 threads"):
        servers.start(cpu(), make_order(tmp_path), tmp_path / "log.txt")
    servers.close()


def test_causes_have_their_ends_as_with_workers_started_anew(kit):
    outcomes = kit.run("killed-1", "crash-1", "diverges-1", "greedy-1", "ok-1", fork=fork_fakes)
    assert {id: (outcome.status, outcome.attempts) for id, outcome in outcomes.items()} == {
        "killed-1": ("finished", 2),
        "crash-1": ("failed", 3),
        "diverges-1": ("diverged", 1),
        "greedy-1": ("finished", 3),
        "ok-1": ("finished", 1),
    }
    assert kit.epochs("killed-1") == [1, 2, 2]


class KillsTheServer(FixedJobs):
    """Kills the fork server at the first epoch of a run."""

    def __init__(self, jobs):
        super().__init__(jobs)
        self.killed = []

    def progress(self, job, epoch, metrics):
        if not self.killed:
            self.killed.append(server_process())
            self.killed[0].kill()
        return True


class Notes:
    def __init__(self):
        self.texts = []

    def note(self, text):
        self.texts.append(text)

    def update(self, look):
        pass


def test_where_forking_does_not_work_workers_are_started_anew_and_that_is_said(kit):
    view = Notes()
    outcomes = kit.run("ok-1", "ok-2", fork=fork_from_threads, view=view)
    assert [outcome.status for outcome in outcomes.values()] == ["finished", "finished"]
    assert sum("workers are started one by one from now on" in text for text in view.texts) == 1


def test_a_sweep_that_has_ended_starts_no_server(kit):
    kit.run("ok-1")
    assert kit.run("ok-1", fork=refuse_to_serve)["ok-1"].status == "finished"


def refuse_to_serve(number):
    pytest.fail("a server is started for nothing")


def test_workers_outlive_their_server(kit):
    source = KillsTheServer(kit.jobs("slowish-1"))
    outcome = kit.run(source=source, fork=fork_fakes)["slowish-1"]
    assert (outcome.status, outcome.attempts) == ("finished", 1)
    assert source.killed


def test_a_forked_worker_is_taken_over_when_its_dispatcher_and_server_are_gone(kit):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    dispatcher = subprocess.Popen([sys.executable, "-c", RUN, str(kit.folder), "slowish-1"], env=environment)
    while not (kit.folder / "runs/slowish-1/epochs.txt").exists():
        time.sleep(0.02)
    dispatcher.kill()
    dispatcher.wait()
    outcome = kit.run("slowish-1", fork=fork_fakes, settings=replace(SETTINGS, poll_s=0.1))["slowish-1"]
    assert (outcome.status, outcome.attempts) == ("finished", 1)
    assert kit.epochs("slowish-1") == [1] * 6
    assert sum(event["event"] == "admitted" for event in read_journal(kit.folder / "dispatch/journal.jsonl")) == 1
