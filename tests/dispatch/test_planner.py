"""From runs and their prices to tasks, and from workers to loads."""

from dataclasses import replace

import pytest

from dispatch.fakes import EXPERIMENT, MIB, cpu
from windtunnel.dispatch.attempt import Attempt
from windtunnel.dispatch.devices import Device
from windtunnel.dispatch.order import Heartbeat, Order
from windtunnel.dispatch.planner import Planner, count_threads, explain_misfit
from windtunnel.dispatch.state import Placement, RunState
from windtunnel.dispatch.types import Estimate, Job
from windtunnel.errors import UsageError

GPU = Device("cuda:0", "cuda", 1000 * MIB, uuid="GPU-0", max_runs=3)
PRICE = Estimate(bytes=100 * MIB, seconds=10.0, compute_share=0.3)


def job(id, folder, **runtime):
    changed = EXPERIMENT.runtime.model_copy(update=runtime)
    return Job(id, EXPERIMENT.model_copy(update={"runtime": changed}), folder / id)


def plan(*devices, policy="fifo"):
    return Planner(policy, devices, lambda device: device.total_bytes)


def make_tasks(planner, *jobs, **prices):
    runs = [RunState(job.id, "") for job in jobs]
    return planner.make_tasks(runs, {job.id: job for job in jobs}, prices)


def test_a_policy_that_does_not_exist_is_refused_at_once():
    with pytest.raises(UsageError, match="did you mean 'fifo'"):
        plan(GPU, policy="fif")


def test_a_run_goes_only_where_its_settings_allow(tmp_path):
    jobs = [job(kind, tmp_path, device=kind) for kind in ("auto", "cuda", "cpu")]
    tasks, misfits = make_tasks(plan(GPU, cpu()), *jobs, **dict.fromkeys(("auto", "cuda", "cpu"), PRICE))
    assert {task.id: set(task.devices) for task in tasks} == {
        "auto": {"cuda:0", "cpu"},
        "cuda": {"cuda:0"},
        "cpu": {"cpu"},
    }
    assert misfits == []


def test_a_run_without_a_price_waits_and_one_without_a_duration_takes_the_usual(tmp_path):
    jobs = [job(id, tmp_path) for id in "abc"]
    tasks, _ = make_tasks(plan(cpu()), *jobs, a=replace(PRICE, seconds=40.0), b=replace(PRICE, seconds=None))
    assert {task.id: task.seconds for task in tasks} == {"a": 40.0, "b": 40.0}


def test_what_no_device_holds_is_said_with_what_to_do(tmp_path):
    jobs = [job("large", tmp_path), job("elsewhere", tmp_path, device="cuda"), job("fits", tmp_path)]
    tasks, misfits = make_tasks(
        plan(cpu(mib=300)), *jobs, large=replace(PRICE, bytes=400 * MIB), elsewhere=PRICE, fits=PRICE
    )
    assert [task.id for task in tasks] == ["fits"]
    said = {misfit.task.id: explain_misfit(misfit) for misfit in misfits}
    assert said["large"].startswith("needs 400 MiB, the largest device may hold 300 MiB; lower data.batch_size")
    assert "runtime.device=auto" in said["elsewhere"]


def test_what_a_run_turned_out_to_need_counts_and_not_what_was_promised(tmp_path):
    run = RunState("a", "", priority=3, bytes_needed=250 * MIB, alone=True)
    ((task,), _) = plan(cpu()).make_tasks([run], {"a": job("a", tmp_path)}, {"a": PRICE})
    assert (task.memory, task.priority, task.alone) == (250 * MIB, 3, True)


def test_nothing_is_started_before_anything_was_ordered(tmp_path):
    planner = plan(cpu())
    tasks, _ = make_tasks(planner, job("a", tmp_path), a=PRICE)
    loads = planner.make_loads([], {}, lambda attempt: False, {"cpu": 0})
    assert planner.order([], may_search=True) == []
    assert planner.admit(tasks, loads) == []
    assert [admission.task.id for admission in planner.admit(planner.order(tasks, may_search=True), loads)] == ["a"]


def test_a_newcomer_that_is_unproven_counts_twice(tmp_path):
    run = RunState("a", "", placement=Placement("cpu", 0, "", 100 * MIB))
    attempt = Attempt(job("a", tmp_path), run, Order("a", 1, "", "", "", ""), heartbeat=Heartbeat(1))
    proven, unproven = (
        plan(cpu(mib=1000), GPU).make_loads(
            [attempt], {"a": PRICE}, lambda attempt, is_so=is_so: is_so, {"cpu": 0, "cuda:0": 5 * MIB}
        )
        for is_so in (False, True)
    )
    assert (proven[0].free, unproven[0].free) == (900 * MIB, 800 * MIB)
    assert (proven[0].runs, proven[1].runs) == (1, 0)
    assert (proven[1].free, proven[1].max_runs) == (995 * MIB, 3)


def test_threads_are_the_runs_own_or_the_devices(tmp_path):
    device = Device("cpu", "cpu", 10**9, threads=3)
    assert count_threads(job("a", tmp_path).experiment, device) == 3
    assert count_threads(job("a", tmp_path, threads=2).experiment, device) == 2
