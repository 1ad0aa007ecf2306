"""The loop, with workers that train nothing."""

import json
import os
import shutil
import signal
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from dispatch.fakes import EXPERIMENT, MIB, SETTINGS, cpu, price
from windtunnel.dispatch.attempt import Attempt
from windtunnel.dispatch.control import Wish, send_wish
from windtunnel.dispatch.fixed import FixedJobs
from windtunnel.dispatch.journal import read_journal
from windtunnel.dispatch.order import Heartbeat, Order
from windtunnel.dispatch.settings import DispatchInterrupted
from windtunnel.dispatch.state import RunState
from windtunnel.dispatch.types import Estimate
from windtunnel.errors import UsageError


def events(kit, name):
    return [event for event in read_journal(kit.folder / "dispatch/journal.jsonl") if event["event"] == name]


def most_at_once(kit):
    running, most = set(), 0
    for event in read_journal(kit.folder / "dispatch/journal.jsonl"):
        if event["event"] == "admitted":
            running.add(event["job"])
        elif event["event"] in ("ended", "requeued"):
            running.discard(event["job"])
        most = max(most, len(running))
    return most


def test_every_job_runs_once_and_the_source_hears_of_it(kit):
    outcomes = kit.run("ok-1", "ok-2", "ok-3")
    assert {id: outcome.status for id, outcome in outcomes.items()} == dict.fromkeys(outcomes, "finished")
    assert kit.source.outcomes == outcomes
    assert outcomes["ok-1"].summary["metrics"] == {"val_accuracy": 0.5}
    assert outcomes["ok-1"].peak_bytes >= 2000
    assert kit.epochs("ok-1") == [1, 1, 1]


def test_each_cause_has_its_end(kit):
    outcomes = kit.run("killed-1", "crash-1", "usage-1", "diverges-1", "greedy-1", "insatiable-1")
    ends = {id: (outcome.status, outcome.attempts) for id, outcome in outcomes.items()}
    assert ends == {
        "killed-1": ("finished", 2),
        "crash-1": ("failed", 3),
        "usage-1": ("failed", 1),
        "diverges-1": ("diverged", 1),
        "greedy-1": ("finished", 3),
        "insatiable-1": ("failed", 3),
    }
    assert kit.epochs("killed-1") == [1, 2, 2]
    assert outcomes["usage-1"].reason == "data.batch_size: too large"
    assert "it broke" in outcomes["crash-1"].reason
    assert "Lower data.batch_size" in outcomes["insatiable-1"].reason


def test_out_of_memory_comes_back_with_more_and_then_alone(kit):
    kit.run("greedy-1")
    reserved = [event["reserved_bytes"] for event in events(kit, "admitted")]
    assert reserved == [10 * MIB, int(12.5 * MIB), 1000 * MIB]


def test_memory_bounds_what_runs_at_once(kit):
    kit.run(*(f"quiet-{index}" for index in range(6)), device=cpu(mib=25, cores=4))
    assert most_at_once(kit) == 2


def test_cores_bound_what_runs_at_once(kit):
    kit.run(*(f"ok-{index}" for index in range(6)), device=cpu(cores=3))
    assert most_at_once(kit) == 3


def test_where_memory_is_tight_a_newcomer_is_watched_before_the_next_one_starts(kit):
    def traced(experiment):
        return replace(price(experiment), source="traced")

    patient = replace(SETTINGS, warm_up_s=60.0, warm_up_steps=2)
    kit.run("slowish-1", "ok-2", estimate=traced, settings=patient, device=cpu(mib=25))
    first, second = events(kit, "admitted")
    assert second["time"] - first["time"] >= 0.05
    assert second["time"] < next(event["time"] for event in events(kit, "ended"))


def test_where_there_is_room_newcomers_need_not_wait(kit):
    def traced(experiment):
        return replace(price(experiment), source="traced")

    kit.run("slowish-1", "slowish-2", estimate=traced, settings=replace(SETTINGS, warm_up_s=60.0))
    started = [event["time"] for event in events(kit, "admitted")]
    assert started[1] < events(kit, "progress")[0]["time"]


def test_a_run_over_the_budget_is_killed_and_its_neighbour_lives(kit):
    outcomes = kit.run("hog-1", "ok-1", device=cpu(mib=100))
    assert outcomes["ok-1"].status == "finished"
    assert outcomes["ok-1"].attempts == 1
    assert outcomes["hog-1"].status == "failed"
    assert "alone on a device with 100 MiB" in outcomes["hog-1"].reason


def test_a_run_larger_than_the_device_fails_before_it_starts(kit):
    outcomes = kit.run("ok-1", device=cpu(mib=5))
    assert outcomes["ok-1"].attempts == 0
    assert "needs 10 MiB, the largest device may hold 5 MiB" in outcomes["ok-1"].reason


def test_a_run_for_a_device_that_is_not_here_fails(kit):
    runtime = EXPERIMENT.runtime.model_copy(update={"device": "cuda"})
    source = FixedJobs(kit.jobs("ok-1", experiment=EXPERIMENT.model_copy(update={"runtime": runtime})))
    assert "runtime.device" in kit.run(source=source)["ok-1"].reason


def test_a_run_that_cannot_be_priced_fails_and_the_others_go_on(kit):
    def refuse(experiment):
        if experiment.seed == 1:
            raise UsageError("model: does not fit the images")
        return price(experiment)

    bad = kit.jobs("ok-bad", experiment=EXPERIMENT.model_copy(update={"seed": 1}))
    outcomes = kit.run(source=FixedJobs([*bad, *kit.jobs("ok-1")]), estimate=refuse)
    assert (outcomes["ok-bad"].status, outcomes["ok-bad"].reason) == ("failed", "model: does not fit the images")
    assert outcomes["ok-1"].status == "finished"


class Pruner(FixedJobs):
    """Stops every run after its second epoch."""

    def __init__(self, jobs):
        super().__init__(jobs)
        self.told = []

    def progress(self, job, epoch, metrics):
        self.told.append((job, epoch, metrics))
        return epoch < 2


def test_progress_is_told_once_an_epoch_and_prunes(kit):
    source = Pruner(kit.jobs("slow-1"))
    outcome = kit.run(source=source)["slow-1"]
    assert (outcome.status, outcome.reason) == ("pruned", "stopped early after epoch 2")
    assert source.told == [("slow-1", 1, {"val_accuracy": 0.1}), ("slow-1", 2, {"val_accuracy": 0.2})]


def test_a_worker_that_does_not_listen_is_killed_after_its_grace(kit):
    dispatcher = kit.dispatcher("stubborn-1")
    later = threading.Timer(0.4, send_wish, (kit.folder / "dispatch/control.jsonl", Wish("cancel", "stubborn-1")))
    later.start()
    (outcome,) = dispatcher.run()
    assert outcome.status == "cancelled"


def test_wishes_pause_cancel_and_reorder(kit):
    (kit.folder / "dispatch").mkdir()
    control = kit.folder / "dispatch/control.jsonl"
    for wish in (Wish("pause"), Wish("cancel", "ok-2"), Wish("priority", "ok-3", 5)):
        send_wish(control, wish)
    later = threading.Timer(0.4, send_wish, (control, Wish("resume")))
    later.start()
    outcomes = kit.run("ok-1", "ok-2", "ok-3", device=cpu(cores=1), settings=replace(SETTINGS, policy="fifo"))
    resumed = next(event["time"] for event in events(kit, "control") if event["command"] == "resume")
    started = events(kit, "admitted")
    assert [event["job"] for event in started] == ["ok-3", "ok-1"]
    assert started[0]["time"] >= resumed
    assert outcomes["ok-2"].status == "cancelled"


def test_a_second_dispatcher_is_refused_with_the_first_ones_pid(kit):
    first = kit.dispatcher("slow-1")
    thread = threading.Thread(target=first.run, daemon=True)
    thread.start()
    while not events(kit, "admitted"):
        time.sleep(0.02)
    with pytest.raises(UsageError, match=r"another dispatcher \(process \d+ on"):
        kit.dispatcher("slow-1").run()
    send_wish(kit.folder / "dispatch/control.jsonl", Wish("cancel", "slow-1"))
    thread.join(timeout=120)


def test_ctrl_c_lets_workers_save_and_the_next_dispatcher_goes_on(kit):
    dispatcher = kit.dispatcher("ok-1", "slow-1")

    def stop():
        while not (events(kit, "ended") and events(kit, "progress")[-1]["job"] == "slow-1"):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop, daemon=True).start()
    with pytest.raises(DispatchInterrupted, match="the same command goes on") as stopped:
        dispatcher.run()
    assert stopped.value.exit_code == 143
    assert [event["cause"] for event in events(kit, "requeued")] == ["stopped"]
    source = Pruner(kit.jobs("ok-1", "slow-1"))
    outcomes = kit.run(source=source)
    assert {id: outcome.status for id, outcome in outcomes.items()} == {"ok-1": "finished", "slow-1": "pruned"}
    assert kit.epochs("slow-1")[:2] == [1, 2]


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="asks Linux which signals a process ignores")
def test_a_second_ctrl_c_kills_workers_that_do_not_save(kit):
    dispatcher = kit.dispatcher("stubborn-1", settings=replace(SETTINGS, grace_s=600.0), view=kit)

    def interrupt_twice():
        while not (admitted := events(kit, "admitted")) or not _ignores_sigterm(admitted[0]["pid"]):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)
        while not kit.said[-1].startswith("stopping"):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt_twice, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        dispatcher.run()
    worker = dispatcher._attempts["stubborn-1"].process._process
    assert worker.wait(60) == -signal.SIGKILL


def _ignores_sigterm(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        ignored = next(line for line in file if line.startswith("SigIgn:"))
    return bool(int(ignored.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_a_run_that_another_machine_has_taken_over_is_left_to_it(kit):
    jobs = [replace(job, claim=str(kit.folder / "gone")) for job in kit.jobs("slow-1")]
    outcome = kit.run(source=FixedJobs([*jobs, *kit.jobs("ok-1")]))
    assert {id: one.status for id, one in outcome.items()} == {"slow-1": "cancelled", "ok-1": "finished"}


def test_where_others_hold_all_memory_that_is_said_once_and_waited_out(kit):
    asked = iter(range(10**9))
    outcomes = kit.run("ok-1", free=lambda device: 0 if next(asked) < 40 else 10**12, view=kit)
    assert outcomes["ok-1"].status == "finished"
    assert sum("nothing fits: at most 0.0 MiB are free" in text for text in kit.said) == 1


def test_a_changed_sweep_is_refused(kit):
    kit.run("ok-1")
    with pytest.raises(UsageError, match="its definition was changed"):
        kit.run("ok-2")


def test_a_finished_sweep_is_told_again_and_runs_nothing(kit):
    first = kit.run("ok-1", "diverges-1")
    assert kit.run("ok-1", "diverges-1") == first
    assert kit.source.outcomes == first
    assert len(events(kit, "admitted")) == 2


def test_outcomes_are_recorded_for_later_estimates(kit):
    recorded = []
    kit.run("ok-1", record=lambda job, outcome: recorded.append((job.id, outcome.peak_bytes >= 2000)))
    assert recorded == [("ok-1", True)]


def test_estimates_outlive_the_dispatcher(kit):
    kit.run("ok-1")
    noted = events(kit, "estimated")[0]["estimate"]
    assert Estimate(**noted) == price(EXPERIMENT)
    assert json.loads((kit.folder / "dispatch/jobs/ok-1/order-1.json").read_text())["attempt"] == 1


def test_a_hung_worker_leaves_its_stacks_and_goes_on_from_where_it_was(kit):
    # later ones are taken to hang as well where the machine is so loaded that they do not come to beat
    impatient = replace(SETTINGS, beat_s=0.5, retries=50)
    outcome = kit.run("frozen-1", settings=impatient)["frozen-1"]
    assert outcome.status == "finished" and outcome.attempts >= 2
    requeued, *_ = events(kit, "requeued")
    assert requeued["cause"] == "crash"
    assert requeued["reason"].startswith("hung: no heartbeat for ")
    log = (kit.folder / "dispatch/jobs/frozen-1/log.txt").read_text()
    assert "most recent call first" in log and "in linger" in log


def test_a_worker_that_beats_but_takes_no_step_hangs_too(kit, monkeypatch):
    now = iter(range(100))
    monkeypatch.setattr("windtunnel.dispatch.attempt.time", SimpleNamespace(monotonic=lambda: next(now)))
    attempt = Attempt(kit.jobs("a")[0], RunState("a", ""), Order("a", 1, "", "", str(kit.folder / "beat"), ""))
    for beat in range(3):
        Heartbeat(1, beat=beat, step=7).write(kit.folder / "beat")
        attempt.observe()  # at 0, 1 and 2 s; its only step was seen at 0 s
    assert attempt.find_standstill(beat_s=1.5, step_s=60.0) == ""
    assert attempt.find_standstill(beat_s=60.0, step_s=1.5) == "no step for 4 s"


def test_failed_and_diverged_runs_go_once_more_each_once_in_its_life(kit):
    ids = ("ok-1", "once-1", "diverges-1", "crash-1")
    first = kit.run(*ids)
    assert [outcome.status for outcome in first.values()] == ["finished", "failed", "diverged", "failed"]
    again = replace(SETTINGS, retry_failed=True)
    second = kit.run(*ids, settings=again)
    assert [outcome.status for outcome in second.values()] == ["finished", "finished", "diverged", "failed"]
    assert kit.source.outcomes == second
    assert [(event["job"], event["fresh"]) for event in events(kit, "retried")] == [
        ("once-1", False),
        ("diverges-1", True),
        ("crash-1", False),
    ]
    assert second["crash-1"].attempts == 6
    assert kit.epochs("diverges-1") == [2]  # begun anew; what it was before is kept
    assert (kit.folder / "dispatch/jobs/diverges-1/diverged/epochs.txt").read_text() == "1\n"
    started = len(events(kit, "admitted"))
    assert kit.run(*ids, settings=again, view=kit) == second
    assert "no run goes once more: none failed or diverged that has not had its second go" in kit.said
    assert len(events(kit, "admitted")) == started


def test_what_diverged_under_another_engine_may_go_once_more(kit):
    kit.run("diverges-1")
    shutil.rmtree(kit.folder / "dispatch/jobs")  # which only dispatchers of this machine make
    kit.run("diverges-1", settings=replace(SETTINGS, retry_failed=True))
    assert (kit.folder / "dispatch/jobs/diverges-1/diverged/epochs.txt").read_text() == "1\n"


def test_a_device_carries_no_more_runs_than_it_may(kit):
    kit.run(*(f"ok-{index}" for index in range(5)), device=replace(cpu(), max_runs=2))
    assert most_at_once(kit) == 2


def test_a_workers_whole_time_is_kept(kit):
    kit.run("ok-1", "killed-1")
    spent = {event["job"]: event["worker_seconds"] for event in events(kit, "ended")}
    assert 0.15 <= spent["ok-1"] < 30
    assert spent["killed-1"] is None
