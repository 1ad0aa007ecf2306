import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.config.sweep import Axis
from windtunnel.sweeps.space import count_grid, draw, draw_corner, list_corners, list_grid, list_values

values = st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True)


@st.composite
def ranges(draw):
    low = draw(st.floats(1e-6, 1e3))
    high = draw(st.floats(low * 1.01, low * 1e6))
    step = draw(st.none() | st.floats((high - low) / 50, (high - low) / 2))
    return Axis(min=low, max=high, log=draw(st.booleans()), step=step)


@st.composite
def whole_ranges(draw):
    low = draw(st.integers(1, 100))
    high = draw(st.integers(low + 1, low + 500))
    step = draw(st.none() | st.integers(1, high - low))
    return Axis(min=low, max=high, integer=True, log=draw(st.booleans()), step=step)


@given(st.dictionaries(st.sampled_from("abcd"), values, min_size=1))
def test_a_grid_is_the_product_without_repeats(lists):
    points = list(list_grid({path: Axis(values=tuple(each)) for path, each in lists.items()}))
    assert len(points) == math.prod(map(len, lists.values()))
    assert len({tuple(point.items()) for point in points}) == len(points)
    assert all(point[path] in lists[path] for point in points for path in lists)


def test_the_last_setting_changes_fastest():
    points = list_grid({"b": Axis(values=(1, 2)), "a": Axis(values=(3, 4))})
    assert [tuple(point.values()) for point in points] == [(1, 3), (1, 4), (2, 3), (2, 4)]


@given(ranges() | whole_ranges(), st.integers(0, 2**32))
def test_drawn_numbers_lie_in_their_range_and_on_its_steps(axis, seed):
    value = draw({"a": axis}, Random(seed))["a"]
    assert axis.min <= value <= axis.max
    assert not axis.integer or isinstance(value, int)
    if axis.step is not None:
        steps = (value - axis.min) / axis.step
        assert steps == pytest.approx(round(steps), abs=1e-6)


@given(ranges() | whole_ranges())
def test_listed_values_rise_from_end_to_end(axis):
    stepped = axis.model_copy(update={"step": axis.step or (axis.max - axis.min) / 2, "integer": False})
    listed = list_values(stepped)
    assert listed == sorted(set(listed))
    assert listed[0] == pytest.approx(axis.min)
    assert axis.max - stepped.step * 1.001 < listed[-1] <= axis.max * (1 + 1e-12)


def test_a_log_range_is_drawn_evenly_over_orders_of_magnitude():
    random = Random(0)
    drawn = [draw({"lr": Axis(min=1e-4, max=1.0, log=True)}, random)["lr"] for _ in range(2000)]
    shares = [sum(10**low <= value < 10 ** (low + 1) for value in drawn) / 2000 for low in (-4, -3, -2, -1)]
    assert shares == pytest.approx([0.25] * 4, abs=0.04)


def test_conditions_chain_whatever_the_order_they_are_written_in():
    space = {
        "c": Axis(values=(7, 8), when={"b": 5}),
        "b": Axis(values=(5, 6), when={"a": [1, 2]}),
        "a": Axis(values=(1, 3)),
    }
    points = list(list_grid(space))
    assert points == [{"c": 7, "b": 5, "a": 1}, {"c": 8, "b": 5, "a": 1}, {"b": 6, "a": 1}, {"a": 3}]
    drawn = [draw(space, Random(seed)) for seed in range(60)]
    assert all(point in points for point in drawn)
    assert all(point in drawn for point in points)


@pytest.mark.parametrize("condition", [{"optim": "sgd"}, {"optim.name": "sgd"}, {"optim": ["sgd", "muon"]}])
def test_a_condition_knows_a_component_by_its_name(condition):
    optim = Axis(values=({"name": "sgd", "nesterov": True}, "adam"))
    points = list(list_grid({"optim": optim, "optim.momentum": Axis(values=(0.9,), when=condition)}))
    assert ["optim.momentum" in point for point in points] == [True, False]


@given(st.dictionaries(st.sampled_from("abc"), ranges() | values.map(lambda each: Axis(values=tuple(each)))))
def test_drawn_corners_are_corners(space):
    corners = list(list_corners(space))
    assert draw_corner(space, Random(1)) in corners
    assert len(corners) <= math.prod(2 if axis.values is None else len(axis.values) for axis in space.values())


def test_a_large_grid_is_counted_without_being_listed():
    assert count_grid({name: Axis(min=0, max=999, integer=True) for name in "abcd"}) == 10**12
