"""Somebody sets the clock back: durations stay what they were, order stays that of events, names do not meet."""

import time
from contextlib import closing
from datetime import datetime

import psutil
import pytest

from catalog.folders import QUICKSTART, MadeRun, make_sweep
from dispatch.fakes import SETTINGS, Kit
from windtunnel.catalog.catalog import Catalog
from windtunnel.catalog.timeline import read_timeline
from windtunnel.core.steady import SteadyClock, read_process_age
from windtunnel.dispatch.fixed import FixedJobs
from windtunnel.dispatch.journal import Journal, hold_folder, read_journal
from windtunnel.training import folder as folders
from windtunnel.training.folder import new_run_path, open_run

HOUR_S = 3600.0


class Clock:
    """The machine's clock, to be set."""

    def __init__(self):
        self.ahead = 0.0
        self._true = time.time

    def __call__(self):
        return self._true() + self.ahead


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


class SetBack(FixedJobs):
    """Jobs during whose first epoch somebody sets the clock back."""

    def __init__(self, jobs, clock):
        super().__init__(jobs)
        self._clock = clock

    def progress(self, job, epoch, metrics):
        self._clock.ahead = -HOUR_S
        return super().progress(job, epoch, metrics)


def test_a_steady_clock_goes_on_as_the_machines_is_set_back(clock):
    steady = SteadyClock()
    before = steady.now()
    clock.ahead = -HOUR_S
    assert 0 <= steady.now() - before < 60
    assert abs(before - (clock() + HOUR_S)) < 60


def test_a_steady_clock_never_tells_a_time_before_what_is_written(clock):
    written = clock() + HOUR_S
    assert SteadyClock(not_before=written).now() >= written


def test_a_process_is_as_old_as_it_truly_is(clock):
    before = read_process_age()
    clock.ahead = -HOUR_S
    assert 0 <= read_process_age() - before < 60
    assert abs(before - (clock() + HOUR_S - psutil.Process().create_time())) < 5


def test_a_journal_opened_under_an_earlier_clock_goes_on_behind_its_last_line(clock, tmp_path):
    path = tmp_path / "journal.jsonl"
    for ahead in (0.0, -HOUR_S, -2 * HOUR_S):
        clock.ahead = ahead
        with closing(Journal(path)) as journal:
            journal.append("opened", pid=1, devices=[])
    times = [event["time"] for event in read_journal(path)]
    assert times == sorted(times)
    assert times[-1] - times[0] < 60


def test_a_dispatcher_whose_clock_is_set_back_measures_what_truly_passed(clock, tmp_path):
    kit = Kit(tmp_path)
    outcomes = kit.run(source=SetBack(kit.jobs("plain-1", "plain-2"), clock), settings=SETTINGS)
    assert clock.ahead
    assert {outcome.status for outcome in outcomes.values()} == {"finished"}
    assert all(0 < outcome.worker_seconds < 60 for outcome in outcomes.values())
    timeline = read_timeline(tmp_path)
    assert 0 < timeline.elapsed_s < 60
    spans = [span for lane in timeline.devices for span in lane.spans]
    assert len(spans) == 2
    assert all(0 < span.end - span.start < 60 for span in spans)


def test_the_timeline_of_a_sweep_at_work_ends_no_earlier_than_its_last_event(clock, tmp_path):
    path = make_sweep(tmp_path, ended=1)[0].path
    clock.ahead = -HOUR_S
    with hold_folder(path / "dispatch"):
        timeline = read_timeline(path)
    assert timeline.elapsed_s >= 0
    assert timeline.now >= max(event["time"] for event in read_journal(path / "dispatch" / "journal.jsonl"))


def test_a_run_killed_before_the_clock_was_set_back_shows_as_stopped(tmp_path):
    MadeRun(tmp_path / "p" / "killed").train(1).age(-HOUR_S)
    living = MadeRun(tmp_path / "p" / "living").train(1).age(-HOUR_S).hold()
    try:
        catalog = Catalog(tmp_path)
        catalog.refresh()
        assert {row.name: row.status for row in catalog.run_rows()} == {"killed": "stopped", "living": "running"}
    finally:
        living.held.close()


def test_a_run_let_go_after_the_clock_was_set_back_is_asked_again(clock, tmp_path):
    run = MadeRun(tmp_path / "p" / "run").train(1).age(100).hold()
    catalog = Catalog(tmp_path)
    catalog.refresh()
    assert catalog.run_rows()[0].status == "running"
    run.held.close()
    clock.ahead = -HOUR_S
    catalog.refresh()
    assert catalog.run_rows()[0].status == "stopped"


@pytest.fixture
def set_time(monkeypatch):
    """Say what time of day it is for the names of runs."""

    class Now(datetime):
        told = datetime(2026, 10, 25, 2, 30)

        @classmethod
        def now(cls, tz=None):
            return cls.told

    monkeypatch.setattr(folders, "datetime", Now)
    return lambda *moment: setattr(Now, "told", datetime(*moment))


def begin(runs_dir):
    path = new_run_path(QUICKSTART, runs_dir)
    MadeRun(path)
    return path


def test_names_of_runs_stay_in_order_through_the_hour_that_autumn_has_twice(set_time, tmp_path):
    first = begin(tmp_path)
    set_time(2026, 10, 25, 2, 10)
    later = [begin(tmp_path) for _ in range(3)]
    assert first.name.startswith("20261025-023000-quickstart-")
    assert [path.name[:15] for path in later] == ["20261025-023001", "20261025-023002", "20261025-023003"]
    assert open_run("last", tmp_path).path == later[-1]
    set_time(2026, 10, 25, 4, 0)
    assert begin(tmp_path).name.startswith("20261025-040000-")


def test_one_run_of_a_clock_that_was_years_ahead_does_not_date_all_later_ones(set_time, tmp_path):
    set_time(2099, 1, 1)
    begin(tmp_path)
    set_time(2026, 11, 22, 12)
    assert begin(tmp_path).name.startswith("20261122-120000-")


def test_a_folder_named_like_a_run_of_no_time_is_passed_over(set_time, tmp_path):
    (tmp_path / QUICKSTART.project / "20261025-028199-mine").mkdir(parents=True)
    assert begin(tmp_path).name.startswith("20261025-023000-")
