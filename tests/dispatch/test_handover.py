"""A sweep that was begun under one engine and goes on under another."""

import os
import signal

import pytest

from dispatch.fakes import SETTINGS
from dispatch.test_pool import Head, join
from dispatch.test_recovery import events, kill, start_dispatcher, wait_for
from windtunnel.dispatch.fixed import FixedJobs
from windtunnel.dispatch.head import PoolHead
from windtunnel.dispatch.look import look_at
from windtunnel.dispatch.pool import Pool
from windtunnel.dispatch.processes import signal_group
from windtunnel.errors import UsageError


@pytest.fixture
def offered(kit):
    """The pool of a head that has offered two runs and is gone."""
    head = PoolHead(kit.folder, FixedJobs(kit.jobs("ok-1", "ok-2")), settings=SETTINGS)
    with head._open():
        head._tick()
    return Pool(kit.folder / "dispatch/pool")


def test_runs_that_other_machines_hold_are_not_trained_here_as_well(kit, offered):
    assert offered.claim("far-away") is not None
    with pytest.raises(UsageError, match=r"1 runs of .* are trained by machines that joined it \(far-away\)"):
        kit.run("ok-1", "ok-2")
    assert events(kit, "admitted") == []


def test_once_nobody_holds_them_they_are_trained_here_and_no_machine_gets_one(kit, offered):
    outcomes = kit.run("ok-1", "ok-2")
    assert [outcome.status for outcome in outcomes.values()] == ["finished"] * 2
    assert (offered.open_runs(), offered.is_closed) == ([], True)
    assert join(kit.folder) == []
    assert [device.name for device in look_at(kit.folder).devices] == ["cpu"]


def test_a_worker_of_this_machine_that_lives_keeps_its_run_from_others(kit):
    dispatcher = start_dispatcher(kit, "slowish-1", "ok-2")
    wait_for(lambda: events(kit, "progress"))
    kill(dispatcher)
    head = PoolHead(kit.folder, FixedJobs(kit.jobs("slowish-1", "ok-2")), settings=SETTINGS)
    pid = events(kit, "admitted")[0]["pid"]
    with pytest.raises(UsageError, match=f"slowish-1 is still trained by process {pid}; go on with --engine local"):
        head.run()
    signal_group(pid, signal.SIGKILL)


def test_a_worker_that_died_with_its_dispatcher_leaves_its_run_to_other_machines(kit):
    dispatcher = start_dispatcher(kit, "slowish-1")
    wait_for(lambda: events(kit, "progress"))
    kill(dispatcher)
    pid = events(kit, "admitted")[0]["pid"]
    signal_group(pid, signal.SIGKILL)
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"))
    head = Head(kit, "slowish-1")
    assert look_at(kit.folder).running == ()
    join(kit.folder)
    head.join(timeout=120)
    assert head.outcomes["slowish-1"].status == "finished"
    assert len(kit.epochs("slowish-1")) == 6
