"""Data sets that lie on devices once, with a holder that holds nothing."""

import json
import time
from dataclasses import replace

import pytest

from dispatch.fakes import EXPERIMENT, MIB, SETTINGS, cpu
from windtunnel.dispatch import holders
from windtunnel.dispatch.devices import EXCLUSIVE, Device
from windtunnel.dispatch.holders import Holders
from windtunnel.dispatch.journal import read_journal
from windtunnel.dispatch.types import Estimate, Job, Outcome

HOLDER = """
import json, os, signal, socket, sys
order = json.load(open(sys.argv[2]))
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
if sys.argv[1] == "dies":
    sys.exit("no memory")
if os.path.exists(order["address"]):
    os.unlink(order["address"])
listener.bind(order["address"])
listener.listen()
reason = "" if sys.argv[1] == "shared" else "the self-test failed"
verdict = {"pid": os.getpid(), "verdict": sys.argv[1], "reason": reason}
with open(order["state"] + ".tmp", "w") as file:
    json.dump(verdict, file)
os.rename(order["state"] + ".tmp", order["state"])
while sys.argv[1] == "shared":
    listener.accept()
"""
GPU = Device("cuda:0", "cuda", 16_000 * MIB, uuid="GPU-0")
PRICE = Estimate(bytes=1000 * MIB, parts={"data": 150 * MIB, "context": 400 * MIB}, seconds=1.0, source="given")


@pytest.fixture
def behave(monkeypatch, tmp_path):
    """Make holders do as they are told: ``shared``, ``refused`` or ``dies``."""
    monkeypatch.setattr(holders.tempfile, "gettempdir", lambda: str(tmp_path))

    def behave(how):
        monkeypatch.setattr(holders, "_HOLDER", ("-I", "-S", "-c", HOLDER, how))

    behave("shared")
    return behave


def jobs(tmp_path, count, **changes):
    experiment = EXPERIMENT.model_copy(update={"data": EXPERIMENT.data.model_copy(update=changes)})
    return [Job(f"a-{index}", experiment, tmp_path / str(index)) for index in range(count)]


def settle(kept, wanting, price=PRICE):
    """Wait for the verdicts and return what was said."""
    said, until = [], time.monotonic() + 120
    prices = {job.id: price for job in wanting}
    while kept.settle(wanting, prices):
        assert time.monotonic() < until
        said += kept.poll()
        time.sleep(0.02)
    return said


def test_a_data_set_of_many_runs_is_held_and_counted_once(tmp_path, behave):
    kept, wanting = Holders(tmp_path / "shared", [GPU], "auto"), jobs(tmp_path, 4)
    (said,) = settle(kept, wanting)
    assert said.startswith("the images on cuda:0 are shared by all runs (process ")
    reduced = kept.reduce(wanting[0], PRICE)
    assert (reduced.bytes, reduced.parts["data"]) == (850 * MIB, 0)
    assert kept.bytes_on(GPU) == 550 * MIB
    ended = Outcome("a-0", "finished", "", peak_bytes=500 * MIB)
    assert kept.as_if_copied(wanting[0], ended, PRICE).peak_bytes == 650 * MIB
    assert kept.address(wanting[3], GPU).endswith(".sock")
    (other,) = jobs(tmp_path, 1, train_limit=64)
    assert kept.reduce(replace(other, id="b"), PRICE) == PRICE
    assert kept.give_up()
    assert (kept.bytes_on(GPU), kept.address(wanting[0], GPU), kept.reduce(wanting[0], PRICE)) == (0, "", PRICE)


def test_a_gpu_for_one_process_at_a_time_gets_no_holder(tmp_path, behave):
    kept = Holders(tmp_path / "shared", [GPU, replace(GPU, name="cuda:1", sharing=EXCLUSIVE)], "on")
    assert settle(kept, jobs(tmp_path, 5)) == []
    assert not (tmp_path / "shared").exists()


@pytest.mark.parametrize(("how", "why"), [("refused", "the self-test failed"), ("dies", "see ")])
def test_where_sharing_does_not_work_runs_copy_and_that_is_said(tmp_path, behave, how, why):
    behave(how)
    kept, wanting = Holders(tmp_path / "shared", [GPU], "auto"), jobs(tmp_path, 4)
    (said,) = settle(kept, wanting)
    assert said.startswith("the images on cuda:0 are copied by every run: ") and why in said
    assert (kept.reduce(wanting[0], PRICE), kept.address(wanting[0], GPU), kept.bytes_on(GPU)) == (PRICE, "", 0)


@pytest.mark.parametrize(
    ("wanted", "device", "runs", "price"),
    [
        ("off", GPU, 9, PRICE),
        ("auto", cpu(), 9, PRICE),
        ("auto", GPU, 3, PRICE),  # a holder's context costs what copies would
        ("auto", GPU, 9, replace(PRICE, bytes=8_000 * MIB)),  # a run and a holder would fill the device
    ],
)
def test_nothing_is_held_where_it_would_not_pay(tmp_path, behave, wanted, device, runs, price):
    kept, wanting = Holders(tmp_path / "shared", [device], wanted), jobs(tmp_path, runs)
    assert settle(kept, wanting, price) == []
    assert kept.address(wanting[0], device) == ""
    assert not (tmp_path / "shared").exists()


def test_a_holder_that_is_gone_is_started_once_more_and_then_given_up(tmp_path, behave):
    kept, wanting = Holders(tmp_path / "shared", [GPU], "auto"), jobs(tmp_path, 4)
    settle(kept, wanting)
    assert not kept.has_lost(wanting[0])
    for _ in range(2):
        for path in tmp_path.glob("shared/*/state.json"):
            holder = next(iter(next(iter(kept._holders.values())).values()))
            holder.process.kill()
            holder.process.wait()
            assert path.exists()
        assert kept.has_lost(wanting[0])
        settle(kept, wanting)
    assert kept.address(wanting[0], GPU) == ""


def test_a_holder_of_an_earlier_dispatcher_is_found_and_ended_in_the_end(tmp_path, behave):
    first, wanting = Holders(tmp_path / "shared", [GPU], "auto"), jobs(tmp_path, 4)
    settle(first, wanting)
    behave("dies")
    second = Holders(tmp_path / "shared", [GPU], "auto")
    (said,) = settle(second, wanting)
    assert "are shared by all runs" in said
    assert second.give_up()
    process = next(iter(next(iter(first._holders.values())).values())).process
    assert process.wait(timeout=120) == 0


def test_the_dispatcher_waits_for_the_verdict_and_tells_workers_where_to_ask(kit, behave):
    kit.run("ok-1", "ok-2", settings=replace(SETTINGS, share_data="on"))
    orders = [json.loads(path.read_text()) for path in kit.folder.glob("dispatch/jobs/*/order-1.json")]
    assert len({order["shared"] for order in orders}) == 1 and orders[0]["shared"].endswith(".sock")


def test_where_nothing_fits_beside_a_holder_it_is_given_up(kit, behave):
    priced = replace(PRICE, bytes=80 * MIB, parts={"data": 40 * MIB})
    outcomes = kit.run(
        "ok-1", estimate=lambda experiment: priced, device=cpu(mib=100), settings=replace(SETTINGS, share_data="on")
    )
    assert outcomes["ok-1"].status == "finished"
    events = read_journal(kit.folder / "dispatch/journal.jsonl")
    assert [event["reserved_bytes"] for event in events if event["event"] == "admitted"] == [80 * MIB]
    assert json.loads((kit.folder / "dispatch/jobs/ok-1/order-1.json").read_text())["shared"] == ""
