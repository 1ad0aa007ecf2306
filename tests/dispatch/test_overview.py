"""A snapshot of the books: how long is left, and what is not known."""

import pytest

from dispatch.fakes import EXPERIMENT, MIB
from windtunnel.dispatch.attempt import Attempt
from windtunnel.dispatch.order import Heartbeat, Order
from windtunnel.dispatch.overview import estimate_remaining, take_snapshot
from windtunnel.dispatch.packing import DeviceLoad
from windtunnel.dispatch.state import Placement, RunState, SweepState
from windtunnel.dispatch.types import Estimate, Job, Outcome

KNOWN = Estimate(bytes=10 * MIB, seconds=100.0, low_seconds=80.0, high_seconds=120.0)


def at_work(folder, id="a", beat=None, rates=()):
    run = RunState(id, "", placement=Placement("cpu", 1, "", 20 * MIB))
    attempt = Attempt(Job(id, EXPERIMENT, folder), run, Order(id, 2, "", "", "", ""), heartbeat=beat)
    attempt._rates = list(rates)
    return attempt


@pytest.mark.parametrize(
    ("price", "beat", "rates", "expected"),
    [
        (KNOWN, None, (), (80.0, 120.0)),  # not begun: the whole estimate
        (KNOWN, Heartbeat(2, step=25, total_steps=100), (), (60.0, 90.0)),  # no pace yet: what is left of it
        (KNOWN, Heartbeat(2, step=25, total_steps=100), (2.0, 3.0), (150.0, 225.0)),  # the paces it was seen at
        (Estimate(bytes=1, seconds=100.0), None, (), (70.0, 150.0)),  # a range is made up where none is given
        (Estimate(bytes=1), None, (), None),
        (None, None, (), None),
    ],
)
def test_what_is_left_of_a_run(tmp_path, price, beat, rates, expected):
    prices = {} if price is None else {"a": price}
    left = estimate_remaining([], [at_work(tmp_path, beat=beat, rates=rates)], prices, slots=1)
    assert left == (expected if expected is None else pytest.approx(expected))


def test_runs_that_wait_share_the_places_and_the_longest_bounds_all():
    waiting = [RunState(id, "") for id in "abcd"]
    prices = dict.fromkeys("abcd", KNOWN)
    assert estimate_remaining(waiting, [], prices, slots=2) == (160.0, 240.0)
    assert estimate_remaining(waiting[:1], [], prices, slots=2) == (80.0, 120.0)
    assert estimate_remaining(waiting, [], {"a": KNOWN}, slots=2) is None
    assert estimate_remaining([], [], {}, slots=0) is None


def test_a_snapshot_shows_devices_runs_queue_and_ends(tmp_path):
    attempt = at_work(tmp_path, beat=Heartbeat(2, step=5, total_steps=10, peak_bytes=15 * MIB))
    attempt.current_bytes = 12 * MIB
    attempt.run.stopping = "cancelled"
    state = SweepState({"a": attempt.run, "b": RunState("b", "", note="again", bytes_needed=30 * MIB, priority=2)})
    state.runs |= {id: RunState(id, "", outcome=Outcome(id, "failed", "why")) for id in ("c", "d")}
    load = DeviceLoad("cpu", 100 * MIB, 70 * MIB, runs=1, sharing="MPS")
    shown = take_snapshot(state, [state.runs["b"], RunState("e", "")], [load], [attempt], {"a": KNOWN})
    (device,), (run,) = shown.devices, shown.running
    assert (device.used_bytes, device.predicted_bytes, device.free_bytes) == (12 * MIB, 20 * MIB, 70 * MIB)
    assert (device.runs, device.sharing) == (1, "MPS")
    assert (run.id, run.attempt, run.step, run.total_steps, run.stopping) == ("a", 2, 5, 10, "cancelled")
    assert (run.held_bytes, run.reserved_bytes) == (15 * MIB, 20 * MIB)
    assert [(one.id, one.priority, one.bytes, one.note) for one in shown.waiting] == [
        ("b", 2, 30 * MIB, "again"),
        ("e", 0, None, ""),
    ]
    assert (shown.ended, shown.paused, shown.remaining) == ({"failed": 2}, False, None)
