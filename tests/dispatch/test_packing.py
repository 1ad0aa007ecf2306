import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.dispatch.bounds import lower_bound
from windtunnel.dispatch.forecast import make_forecast
from windtunnel.dispatch.packing import POLICIES, DeviceLoad, Task, admit, find_misfits, get_policy, order_tasks
from windtunnel.dispatch.portfolio import check_policy, choose_policy, search_policy
from windtunnel.dispatch.simulation import simulate
from windtunnel.dispatch.types import Estimate
from windtunnel.errors import UsageError

MEMORY = 16.0

TASKS = st.lists(
    st.tuples(
        st.floats(0.1, MEMORY),
        st.floats(0.05, 1.0),
        st.floats(0.5, 100.0),
        st.integers(0, 2),
        st.booleans(),
    ),
    max_size=12,
).map(lambda drawn: [Task(str(index), *values) for index, values in enumerate(drawn)])
COUNTS = st.integers(1, 4)
NAMES = st.sampled_from(sorted(POLICIES))


def devices(count):
    return [DeviceLoad(f"gpu{index}", MEMORY, MEMORY) for index in range(count)]


def gpu(**changes):
    return DeviceLoad(**{"name": "gpu", "total": MEMORY, "free": MEMORY, **changes})


@given(TASKS, COUNTS, NAMES)
def test_memory_is_never_exceeded_and_alone_means_alone(tasks, count, name):
    schedule = simulate(tasks, devices(count), get_policy(name))
    by_id = {task.id: task for task in tasks}
    for moment in {run.start for run in schedule.runs.values()}:
        for device in devices(count):
            there = [
                by_id[id]
                for id, run in schedule.runs.items()
                if run.device == device.name and run.start <= moment < run.end
            ]
            assert sum(task.memory for task in there) <= MEMORY * (1 + 1e-6)
            assert len(there) <= 1 or not any(task.alone for task in there)


@given(TASKS, COUNTS, NAMES)
def test_every_task_is_placed_exactly_once_and_runs_at_most_at_full_speed(tasks, count, name):
    schedule = simulate(tasks, devices(count), get_policy(name))
    assert sorted(schedule.runs) == sorted(task.id for task in tasks)
    assert all(run.end - run.start >= task.seconds * (1 - 1e-6) for task in tasks for run in [schedule.runs[task.id]])


@given(TASKS, COUNTS, NAMES)
def test_no_schedule_beats_the_lower_bound(tasks, count, name):
    makespan = simulate(tasks, devices(count), get_policy(name), interference=0.0).makespan
    assert lower_bound(tasks, devices(count)).seconds <= makespan * (1 + 1e-6)


@given(TASKS, COUNTS)
def test_memory_bound_equals_its_definition(tasks, count):
    edges = [0.0, MEMORY / 2, *(task.memory for task in tasks if task.memory <= MEMORY / 2)]

    def counted(memory, edge):
        return MEMORY if memory > MEMORY - edge else memory if memory >= edge else 0.0

    direct = max(sum(counted(task.memory, edge) * task.seconds for task in tasks) for edge in edges) / MEMORY / count
    assert lower_bound(tasks, devices(count)).terms["memory"] == pytest.approx(direct)


def test_search_finds_that_small_runs_hinder_each_other():
    tasks = [Task(str(index), 0.6, 0.1, 10.0 + index % 7) for index in range(40)]
    found = simulate(tasks, devices(1), search_policy(tasks, devices(1))).makespan
    assert found < 0.97 * simulate(tasks, devices(1), get_policy("weighted")).makespan


@pytest.mark.parametrize(
    ("tasks", "term"),
    [
        ([Task("long", 1.0, 0.1, 100.0), Task("b", 1.0, 0.1, 1.0)], "longest run"),
        ([Task(str(index), 1.0, 0.9, 10.0) for index in range(4)], "compute"),
        ([Task(str(index), 9.0, 0.1, 10.0) for index in range(4)], "memory"),
    ],
)
def test_bound_names_what_binds(tasks, term):
    assert lower_bound(tasks, devices(1)).term == term


def test_priority_goes_before_size():
    tasks = [Task("large", 8.0, 1.0, 100.0), Task("urgent", 1.0, 0.1, 1.0, priority=1)]
    assert [task.id for task in order_tasks(tasks, get_policy("weighted"), MEMORY)] == ["urgent", "large"]


def test_compute_cap_holds_back_what_memory_would_take():
    tasks = [Task(str(index), 1.0, 0.5, 10.0) for index in range(4)]
    assert len(admit(tasks, [gpu()], get_policy("weighted"))) == 2
    assert len(admit(tasks, [gpu()], get_policy("fifo"))) == 4


def test_a_device_that_takes_no_more_compute_is_respected_below_the_policy_cap():
    tasks = [Task(str(index), 1.0, 0.4, 10.0) for index in range(3)]
    assert len(admit(tasks, [gpu(compute_limit=1.0)], get_policy("weighted"))) == 2


def test_newcomers_are_limited():
    tasks = [Task(str(index), 1.0, 0.1, 10.0) for index in range(4)]
    assert len(admit(tasks, [gpu(newcomers=1)], get_policy("fifo"))) == 1


def test_least_loaded_spreads_where_best_fit_piles_up():
    tasks = [Task("a", 4.0, 0.3, 10.0), Task("b", 4.0, 0.3, 10.0)]
    assert {admission.device for admission in admit(tasks, devices(2), get_policy("weighted"))} == {"gpu0", "gpu1"}
    assert {admission.device for admission in admit(tasks, devices(2), get_policy("bfd"))} == {"gpu0"}


def test_a_task_that_must_be_alone_gets_its_turn():
    busy = gpu(free=MEMORY - 4.0, compute=0.2, runs=1)
    waiting = [Task("alone", 4.0, 0.2, 10.0, alone=True), Task("small", 1.0, 0.1, 1.0)]
    assert admit(waiting, [busy], get_policy("fifo")) == []


def test_a_task_goes_only_where_it_may():
    task = Task("pinned", 1.0, 0.1, 1.0, devices=frozenset({"gpu1"}))
    assert admit([task], devices(2), get_policy("weighted"))[0].device == "gpu1"
    assert [misfit.task.id for misfit in find_misfits([task], devices(1))] == ["pinned"]


def test_a_task_larger_than_any_device_is_refused():
    with pytest.raises(UsageError, match=r"big needs 17 bytes; the largest device it may use has 16"):
        simulate([Task("big", 17.0, 0.5, 1.0)], devices(2), get_policy("weighted"))


def test_a_long_queue_is_not_searched():
    tasks = [Task(str(index), 0.6, 0.1, 10.0) for index in range(101)]
    assert choose_policy("auto", tasks, devices(1)) == get_policy("weighted")


def test_unknown_policy_is_refused_with_a_near_name():
    with pytest.raises(UsageError, match="did you mean 'weighted'"):
        check_policy("weigted")


def test_forecast_gives_a_range_around_the_makespan():
    runs = {
        "a": Estimate(bytes=1, seconds=10.0, low_seconds=8.0, high_seconds=15.0, compute_share=0.5),
        "b": Estimate(bytes=1, seconds=20.0, low_seconds=16.0, high_seconds=30.0, compute_share=0.5),
        "c": Estimate(bytes=1, compute_share=0.5),
    }
    forecast = make_forecast(runs, devices(1))
    assert forecast.low_seconds < forecast.seconds < forecast.high_seconds
    assert forecast.bound.seconds == pytest.approx(22.5)
