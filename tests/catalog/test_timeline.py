import pytest

from catalog.folders import make_sweep
from dispatch.fakes import MIB, Kit, cpu, price
from dispatch.test_pool import Head, join
from windtunnel.catalog.timeline import read_timeline
from windtunnel.dispatch.bounds import lower_bound
from windtunnel.dispatch.forecast import make_task
from windtunnel.dispatch.packing import DeviceLoad


@pytest.fixture
def kit(tmp_path):
    return Kit(tmp_path / "sweep")


def check_steps(lane, spans):
    """The curves say at each time what the spans that hold it add up to."""
    for at, predicted, measured in zip(lane.memory.time, lane.memory.predicted, lane.memory.measured, strict=True):
        here = [span for span in spans if span.start <= at and (span.end is None or span.end > at)]
        assert predicted == sum(span.reserved_bytes for span in here)
        assert measured == sum(span.measured_bytes or 0 for span in here)


def test_every_worker_has_its_span(kit):
    kit.run("ok-1", "ok-2", "killed-1", "greedy-1", "diverges-1")
    timeline = read_timeline(kit.folder)
    [lane] = timeline.devices
    told = sorted((span.job, span.attempt, span.status) for span in lane.spans)
    assert told == [
        ("diverges-1", 1, "diverged"),
        ("greedy-1", 1, "memory"),
        ("greedy-1", 2, "memory"),
        ("greedy-1", 3, "finished"),
        ("killed-1", 1, "crash"),
        ("killed-1", 2, "finished"),
        ("ok-1", 1, "finished"),
        ("ok-2", 1, "finished"),
    ]
    assert (lane.name, lane.total_bytes) == ("cpu", 1000 * MIB)
    assert all(timeline.opened <= span.start < span.end <= timeline.now for span in lane.spans)
    check_steps(lane, lane.spans)
    assert (timeline.queue.waiting[-1], timeline.queue.running[-1]) == (0, 0)
    assert max(timeline.queue.waiting) == 5
    assert timeline.remaining is None


def test_the_bound_is_the_dispatchers_own(kit):
    kit.run("ok-1", "ok-2", "ok-3")
    tasks = [make_task(id, price(None), 1.0, compute=0.25) for id in "abc"]  # one thread of four cores
    assert read_timeline(kit.folder).bound == lower_bound(tasks, [DeviceLoad("cpu", 1000 * MIB, 1000 * MIB)])


def test_a_sweep_under_way_has_open_spans_and_those_that_wait(tmp_path):
    folder, *_ = make_sweep(tmp_path, ended=2)
    timeline = read_timeline(folder.path)
    [lane] = timeline.devices
    assert [span.status for span in lane.spans] == ["finished", "finished", "lost"]  # no such worker lives
    assert (timeline.queue.waiting[-1], timeline.queue.running[-1]) == (1, 1)
    assert [span.measured_bytes for span in lane.spans] == [2 * 10**8, 2 * 10**8, None]
    assert timeline.bound.seconds > 0


def test_machines_that_joined_have_lanes_of_their_own(kit):
    head = Head(kit, *(f"ok-{number}" for number in range(6)))
    join(kit.folder)
    head.join()
    timeline = read_timeline(kit.folder)
    [lane] = timeline.devices
    assert lane.name.endswith(" cpu") and len(lane.name) > 4
    assert sorted(span.job for span in lane.spans) == [f"ok-{number}" for number in range(6)]
    check_steps(lane, lane.spans)
    assert max(timeline.queue.waiting) == 6
    assert max(timeline.queue.running) >= 1
    assert (timeline.queue.waiting[-1], timeline.queue.running[-1]) == (0, 0)
    assert timeline.bound is not None


def test_where_nobody_knows_how_long_runs_take_there_is_no_bound(kit):
    kit.run("usage-1", estimate=lambda experiment: price(experiment).__class__(bytes=MIB))
    assert read_timeline(kit.folder).bound is None


def test_what_ended_runs_took_stands_in_for_an_unknown_duration(tmp_path):
    folder, journal, jobs = make_sweep(tmp_path, ended=2)
    for job in jobs:
        journal.append("estimated", job=job.id, estimate={"bytes": 10, "seconds": None, "source": "traced"})
    assert read_timeline(folder.path).bound.terms["longest run"] == 6.5


def test_a_sweep_nobody_worked_on_has_none(tmp_path):
    assert read_timeline(tmp_path) is None


def test_a_run_that_outgrows_its_device_fails_without_a_span(kit):
    kit.run("ok-1", device=cpu(mib=5))
    assert [lane.spans for lane in read_timeline(kit.folder).devices] == [()]
