"""Machines that pull runs from one folder: each run is taken by one of them, and by another when that one dies."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dispatch.fakes import SETTINGS, cpu, fake_command, price
from windtunnel.dispatch.control import Wish, send_wish
from windtunnel.dispatch.fixed import FixedJobs
from windtunnel.dispatch.head import PoolHead
from windtunnel.dispatch.joined import join_pool
from windtunnel.dispatch.journal import read_journal
from windtunnel.dispatch.pool import Pool, Watch
from windtunnel.dispatch.types import Outcome
from windtunnel.errors import UsageError

JOIN = (
    "import sys; from pathlib import Path; from dispatch.test_pool import join;"
    "join(Path(sys.argv[1]), float(sys.argv[2]), mib=int(sys.argv[3]))"
)
EXPIRY_S, NEVER_S = 3.0, 300.0


def join(folder, expiry_s=NEVER_S, mib=1000, view=None):
    """Join as a machine with two cores that has Kit's fakes for workers."""
    devices, how = [cpu(mib, cores=2)], {"settings": SETTINGS, "command": fake_command, "expiry_s": expiry_s}
    return join_pool(folder, devices, estimate=price, view=view, **how)


def start_machine(kit, expiry_s=NEVER_S, mib=1000):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.Popen([sys.executable, "-c", JOIN, str(kit.folder), str(expiry_s), str(mib)], env=environment)


class Head(threading.Thread):
    """A head in a thread; unless told otherwise it waits for machines for ever, however loaded this one is."""

    def __init__(self, kit, *ids, source=None, expiry_s=NEVER_S):
        super().__init__(daemon=True)
        self.source = source or FixedJobs(kit.jobs(*ids))
        self.head = PoolHead(kit.folder, self.source, settings=SETTINGS, expiry_s=expiry_s)
        self.pool = Pool(kit.folder / "dispatch/pool")
        self.start()
        while not (kit.folder / "dispatch/pool/open").exists():
            time.sleep(0.01)

    def run(self):
        self.outcomes: dict[str, Outcome] = {outcome.job: outcome for outcome in self.head.run()}


@pytest.fixture
def pool(tmp_path):
    pool = Pool(tmp_path / "pool")
    pool.create()
    return pool


def test_a_pool_offers_runs_only_once_it_is_whole(pool, tmp_path, monkeypatch):
    made, mkdir = [], Path.mkdir
    monkeypatch.setattr(Path, "mkdir", lambda path, *how, **more: made.append(path.name) or mkdir(path, *how, **more))
    Pool(tmp_path / "another").create()
    assert made[-1] == "open"
    assert {path.name for path in pool.path.iterdir()} <= set(made)


def test_a_run_is_claimed_by_one_of_many(pool, kit):
    for index, job in enumerate(kit.jobs(*(f"ok-{number}" for number in range(40)))):
        pool.publish(job, index)
    claimed = {name: [] for name in "abcd"}

    def pull(name):
        while (job := pool.claim(name)) is not None:
            claimed[name].append(job.id)

    threads = [threading.Thread(target=pull, args=(name,)) for name in claimed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(id for ids in claimed.values() for id in ids) == sorted(f"ok-{number}" for number in range(40))


def test_offers_are_pulled_in_their_order_and_come_back_whole(pool, kit):
    first, second = kit.jobs("ok-1", "ok-2")
    pool.publish(first, 7)
    pool.publish(second, 3)
    pulled = pool.claim("me")
    assert (pulled.id, pulled.experiment, pulled.folder) == ("ok-2", second.experiment, second.folder)
    pool.release("ok-2", "me")
    assert pool.claim("you").id == "ok-2"


def test_only_the_holder_says_how_a_run_ended(pool, kit):
    pool.publish(kit.jobs("ok-1")[0], 0)
    claim = Path(pool.claim("late").claim)
    pool.release("ok-1", "late")
    pool.finish(Outcome("ok-1", "failed", ""), claim)
    assert pool.ended() == []


def test_a_claim_whose_answer_was_lost_on_the_way_counts(pool, kit, monkeypatch):
    """A file server may do a rename, lose its answer, and fail when it is asked again."""
    pool.publish(kit.jobs("ok-1")[0], 0)
    rename = Path.rename

    def lose_the_answer(path, target):
        rename(path, target)
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "rename", lose_the_answer)
    assert pool.claim("me").id == "ok-1"


def test_an_offer_that_another_was_quicker_to_take_is_passed_over(pool, kit, monkeypatch):
    for index, job in enumerate(kit.jobs("ok-1", "ok-2")):
        pool.publish(job, index)
    rename = Path.rename

    def be_too_late(path, target):
        if path.name.endswith("ok-1"):
            raise FileNotFoundError(path)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", be_too_late)
    assert pool.claim("me").id == "ok-2"
    assert pool.claim("me") is None


def test_a_run_that_ended_before_its_worker_died_is_not_trained_again(pool, kit):
    pool.publish(kit.jobs("ok-1")[0], 0)
    claim = Path(pool.claim("dying").claim)
    pool.finish(Outcome("ok-1", "finished", ""), claim)
    claim.write_text("{}")  # as if it had died before it could let go of it
    assert pool.release_all("dying") == ["ok-1"]
    assert pool.claim("me") is None
    assert pool.offered() == {"ok-1"} and list(pool.claims()) == []


def test_what_is_taken_or_unknown_cannot_be_withdrawn_or_given_back(pool, kit, monkeypatch):
    pool.publish(kit.jobs("ok-1")[0], 0)
    assert not pool.withdraw("ok-2")
    assert pool.claim("me", without={"ok-1"}) is None

    def be_too_late(path, missing_ok=False):
        raise FileNotFoundError(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", be_too_late)
        assert not pool.withdraw("ok-1")
    claim = Path(pool.claim("me").claim)
    claim.unlink()
    assert not pool.give_back(claim, "000000~ok-1")
    assert not pool.withdraw("ok-1")


def test_a_beat_that_stands_still_frees_the_run_and_one_that_goes_on_does_not(pool, kit):
    for index, job in enumerate(kit.jobs("ok-1", "ok-2")):
        pool.publish(job, index)
    pool.claim("dead"), pool.claim("alive")
    watch = Watch(pool, expiry_s=0.2)
    freed = []
    for count in range(10):
        pool.beat("alive", count)
        freed += watch.free_expired()
        time.sleep(0.05)
    assert freed == ["ok-1"]


def test_a_paused_pool_gives_nothing_out(pool, kit):
    pool.publish(kit.jobs("ok-1")[0], 0)
    pool.pause(True)
    assert pool.claim("me") is None
    pool.pause(False)
    assert pool.claim("me") is not None


def test_two_machines_share_the_runs_and_no_run_is_trained_twice(kit):
    ids = [f"ok-{number}" for number in range(8)]
    head = Head(kit, *ids, "diverges-1", "killed-1")
    head.pool.pause(True)
    machines = [start_machine(kit) for _ in range(2)]
    while len(list((head.pool.path / "beats").iterdir())) < 2:
        time.sleep(0.01)
    head.pool.pause(False)
    assert [machine.wait(timeout=240) for machine in machines] == [0, 0]
    head.join(timeout=120)
    statuses = {id: outcome.status for id, outcome in head.outcomes.items()}
    assert statuses == {**dict.fromkeys(ids, "finished"), "diverges-1": "diverged", "killed-1": "finished"}
    assert all(kit.epochs(id) == [1, 1, 1] for id in ids)
    pulled = {path.parts[-5] for path in kit.folder.glob("dispatch/pool/workers/*/dispatch/jobs/*/order-1.json")}
    assert len(pulled) == 2
    assert head.source.outcomes == head.outcomes


def test_runs_of_a_machine_that_dies_go_on_elsewhere(kit):
    head = Head(kit, "slowish-1", "slowish-2", expiry_s=EXPIRY_S)
    dying = start_machine(kit, EXPIRY_S)
    while not all((kit.folder / f"runs/slowish-{number}/epochs.txt").exists() for number in (1, 2)):
        time.sleep(0.02)
    dying.kill()
    dying.wait()
    other = start_machine(kit, EXPIRY_S)
    assert other.wait(timeout=240) == 0
    head.join(timeout=120)
    assert {id: outcome.status for id, outcome in head.outcomes.items()} == {
        "slowish-1": "finished",
        "slowish-2": "finished",
    }


def test_a_run_too_large_for_one_machine_is_trained_by_another(kit):
    head = Head(kit, "ok-1", "ok-2")
    small = start_machine(kit, mib=5)
    while set(head.pool.refusals()) != {"ok-1", "ok-2"}:
        time.sleep(0.02)
    outcomes = join(kit.folder)
    assert small.wait(timeout=240) == 0
    head.join(timeout=120)
    assert {id: outcome.status for id, outcome in head.outcomes.items()} == {"ok-1": "finished", "ok-2": "finished"}
    assert sorted(outcome.job for outcome in outcomes) == ["ok-1", "ok-2"]


def test_runs_that_no_machine_can_begin_fail_once_nothing_else_is_left(kit):
    head = Head(kit, "ok-1", "ok-2", expiry_s=EXPIRY_S)
    assert join(kit.folder, EXPIRY_S, mib=5, view=kit) == []
    head.join(timeout=120)
    for outcome in head.outcomes.values():
        assert (outcome.status, outcome.attempts) == ("failed", 0)
        assert outcome.reason.startswith("no machine that has joined can begin it: needs 10 MiB")
    assert sorted(head.outcomes) == ["ok-1", "ok-2"]
    assert head.pool.machines() == []
    assert "ok-1 is left to other machines, since it cannot begin here" in kit.said


def test_the_head_sees_what_machines_run(kit):
    head = Head(kit, "slowish-1", "slowish-2", "slowish-3")
    machine = start_machine(kit)
    while not (kit.folder / "runs/slowish-1/epochs.txt").exists():
        time.sleep(0.02)
    seen = head.head.look()
    assert machine.wait(timeout=240) == 0
    assert "slowish-1" in [run.id for run in seen.running]
    assert [device.name.rpartition(" ")[2] for device in seen.devices] == ["cpu"]
    assert {run.id for run in (*seen.running, *seen.waiting)} == {"slowish-1", "slowish-2", "slowish-3"}


def test_a_machine_that_lost_a_run_may_pull_it_again(kit):
    head = Head(kit, "slowish-1")
    machine = start_machine(kit)
    while not (kit.folder / "runs/slowish-1/epochs.txt").exists():
        time.sleep(0.02)
    ((entry, _, claim),) = head.pool.claims()
    assert head.pool.give_back(claim, entry)
    (own,) = (kit.folder / "dispatch/pool/workers").iterdir()
    while len([event for event in read_journal(own / "dispatch/journal.jsonl") if event["event"] == "admitted"]) < 2:
        time.sleep(0.02)
    assert "slowish-1" in [run.id for run in head.head.look().running]
    assert machine.wait(timeout=240) == 0
    head.join(timeout=120)
    outcome = head.outcomes["slowish-1"]
    assert (outcome.status, outcome.attempts) == ("finished", 2)
    assert sorted(set(kit.epochs("slowish-1"))) == [1, 2]
    assert len(kit.epochs("slowish-1")) == 6


def test_a_head_that_comes_back_goes_on(kit):
    jobs = kit.jobs("ok-1", "ok-2")
    before = PoolHead(kit.folder, FixedJobs(jobs), settings=SETTINGS)
    with before._open():
        before._tick()
    head = Head(kit, source=FixedJobs(jobs))
    join(kit.folder)
    head.join(timeout=120)
    assert sorted(head.outcomes) == ["ok-1", "ok-2"]


def test_a_cancelled_offer_is_withdrawn(kit):
    (kit.folder / "dispatch").mkdir()
    send_wish(kit.folder / "dispatch/control.jsonl", Wish("cancel", "ok-1"))
    head = Head(kit, "ok-1", "ok-2")
    journal = kit.folder / "dispatch/journal.jsonl"
    while not any(event["event"] == "ended" for event in read_journal(journal)):
        time.sleep(0.01)
    join(kit.folder)
    head.join(timeout=120)
    assert {id: outcome.status for id, outcome in head.outcomes.items()} == {"ok-1": "cancelled", "ok-2": "finished"}


def test_joining_what_offers_nothing_is_refused(tmp_path):
    with pytest.raises(UsageError, match="offers no runs"):
        join(tmp_path)
