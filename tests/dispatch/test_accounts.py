import pytest

from dispatch.fakes import EXPERIMENT, MIB, cpu
from windtunnel.dispatch.accounts import compute_share, find_overrunner, make_load
from windtunnel.dispatch.attempt import Attempt
from windtunnel.dispatch.devices import Device
from windtunnel.dispatch.order import Heartbeat, Order
from windtunnel.dispatch.state import Placement, RunState
from windtunnel.dispatch.types import Estimate, Job


def attempt(tmp_path, *, reserved, held=0, peak=0, reports=0, alone=False):
    run = RunState("a", "", placement=Placement("cpu", 0, "", reserved * MIB), alone=alone)
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


def test_a_run_over_its_reservation_lives_while_there_is_room_and_counts_with_what_it_holds(tmp_path):
    over, neighbour = attempt(tmp_path, reserved=100, held=600), attempt(tmp_path, reserved=300, held=300)
    assert find_overrunner(cpu(mib=1000), [over, neighbour], free=500 * MIB) is None
    assert make_load(cpu(mib=1000), [over, neighbour], [0.1, 0.1], 10**12).free == pytest.approx(100 * MIB, abs=MIB)


def test_the_run_furthest_over_its_reservation_is_the_one_to_go(tmp_path):
    large, over = attempt(tmp_path, reserved=800, held=790), attempt(tmp_path, reserved=100, held=300)
    assert find_overrunner(cpu(mib=1000), [large, over], free=10**12) is over


def test_where_others_take_the_machines_memory_only_a_run_over_its_reservation_goes(tmp_path):
    within, over = attempt(tmp_path, reserved=300, held=299), attempt(tmp_path, reserved=100, held=101)
    assert find_overrunner(cpu(mib=1000), [within, over], free=10 * MIB) is over
    assert find_overrunner(cpu(mib=1000), [within], free=10 * MIB) is None
    assert find_overrunner(cpu(mib=1000), [], free=0) is None


def test_a_gpu_that_is_shared_by_turns_is_taken_to_be_busier_than_under_mps():
    price = Estimate(bytes=1, compute_share=1.0)
    shares = [compute_share(1, Device("cuda:0", "cuda", MIB, sharing=how), price) for how in ("time slices", "MPS")]
    assert 1.0 > shares[0] > shares[1] > 0.0
    assert compute_share(1, cpu(cores=4), price) == 0.25


def test_images_that_lie_on_the_device_once_take_room_once(tmp_path):
    load = make_load(cpu(mib=1000), [attempt(tmp_path, reserved=400, held=400)], [0.1], 10**12, shared=150 * MIB)
    assert load.free == 450 * MIB
