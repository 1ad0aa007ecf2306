import pytest

from dispatch.fakes import EXPERIMENT, MIB, cpu
from windtunnel.dispatch.accounts import find_overrunner, make_load
from windtunnel.dispatch.attempt import Attempt
from windtunnel.dispatch.order import Heartbeat, Order
from windtunnel.dispatch.state import Placement, RunState
from windtunnel.dispatch.types import Job


def attempt(tmp_path, *, reserved, held=0, peak=0, reports=0, alone=False):
    run = RunState("a", "", placement=Placement("cpu", 0, "", reserved * MIB, 0.0), alone=alone)
    beat = Heartbeat(1, reports=reports, peak_bytes=peak * MIB)
    order = Order("a", 1, "", "", "", "")
    return Attempt(Job("a", EXPERIMENT, tmp_path), run, order, heartbeat=beat, current_bytes=held * MIB)


@pytest.mark.parametrize(
    ("state", "free", "expected"),
    [
        ({"reserved": 400, "held": 100}, 10_000, 600),  # a newcomer may still grow to what it was promised
        ({"reserved": 400, "held": 100, "peak": 200, "reports": 1}, 10_000, 790),  # then it counts as what it held
        ({"reserved": 400, "held": 500, "peak": 500, "reports": 1}, 10_000, 500),  # an overrun counts in full
        ({"reserved": 400, "held": 100}, 350, 50),  # others hold the rest: 350 are free, 300 of them are promised
        ({"reserved": 400, "held": 100}, 200, 0),
    ],
)
def test_free_memory_is_what_is_neither_held_promised_nor_foreign(tmp_path, state, free, expected):
    load = make_load(cpu(mib=1000), [attempt(tmp_path, **state)], [0.5], free * MIB)
    assert load.free == pytest.approx(expected * MIB, abs=MIB)
    assert (load.runs, load.compute) == (1, 0.5)


def test_who_is_alone_keeps_the_device(tmp_path):
    assert make_load(cpu(), [attempt(tmp_path, reserved=10, alone=True)], [0.5], 10**12).exclusive


def test_nobody_is_killed_while_there_is_room(tmp_path):
    over = attempt(tmp_path, reserved=100, held=600)
    assert find_overrunner(cpu(mib=1000), [over, attempt(tmp_path, reserved=300, held=300)]) is None


def test_the_run_furthest_over_its_share_is_the_one_to_go(tmp_path):
    large, over = attempt(tmp_path, reserved=800, held=790), attempt(tmp_path, reserved=100, held=300)
    assert find_overrunner(cpu(mib=1000), [large, over]) is over
