import json
import os
import time
from pathlib import Path

import pytest

from windtunnel.core.reports import StepDone
from windtunnel.track.choice import Choice, Tracking
from windtunnel.track.relay import Relay, relaying

from .conftest import make_info, make_report, make_summary

SINKS = Path(__file__).with_name("fake_sinks.py")


def choose(*sinks, wait_s=60.0):
    return Tracking(tuple(Choice(sink.lower(), f"{SINKS}:{sink}") for sink in sinks), wait_s)


def track(folder, tracking, *, epochs=3, summary=None):
    """Tell the trackers of a whole run; return what they said and the seconds the longest call took."""
    said, longest = [], 0.0
    with relaying(tracking, said.append, pictures={"curves": folder / "curves.png"}) as relays:
        for relay in relays:
            relay.start(make_info(folder))
            for epoch in range(1, epochs + 1):
                start = time.perf_counter()
                relay.step(StepDone(10 * epoch, 40, epoch))
                relay.epoch(make_report(epoch))
                longest = max(longest, time.perf_counter() - start)
            if summary is not None:
                relay.finish(summary)
    return said, longest


def warnings_of(said):
    return [each.text for each in said if each.kind == "warning"]


def seen(folder):
    return [json.loads(line) for line in (folder / "seen.jsonl").read_text().splitlines()]


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_tracker_is_told_of_the_whole_run(run_folder):
    (run_folder / "curves.png").write_bytes(b"12345")
    said, _ = track(run_folder, choose("Recording"), summary=make_summary())
    start, *epochs, picture, finish = seen(run_folder)
    assert start["config"]["optim.lr"] == 0.1
    assert [each["step"] for each in epochs] == [10, 20, 30]
    assert epochs[0]["metrics"]["train/loss"] == 2.0
    assert "val/loss" not in epochs[0]["metrics"]
    assert picture == {"event": "picture", "name": "curves", "bytes": 5}
    assert (finish["status"], finish["metrics"]) == ("finished", {"test/accuracy": 0.875, "test/loss": 0.25})
    assert finish["summary"]["seconds.train"] == 4.0
    assert [(each.kind, each.text) for each in said] == [("note", "recording: in seen.jsonl")]


def test_a_run_that_broke_off_is_told_as_crashed(run_folder):
    def breaks_off():
        with relaying(choose("Recording"), print, pictures={}) as (relay,):
            relay.start(make_info(run_folder))
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        breaks_off()
    assert seen(run_folder)[-1]["status"] == "crashed"


def test_a_tracker_that_cannot_start_is_said_once_and_costs_no_wait(run_folder):
    start = time.perf_counter()
    said, _ = track(run_folder, choose("CannotStart"), epochs=50, summary=make_summary())
    assert time.perf_counter() - start < 30
    (warning,) = warnings_of(said)
    assert "tracker cannotstart failed: ConnectionError: no account; the run is not affected" in warning
    assert "second line" in (run_folder / "trackers" / "cannotstart.log").read_text()


def test_a_tracker_that_fails_is_said_once_and_goes_on_getting_epochs(run_folder):
    said, _ = track(run_folder, choose("FailsEachEpoch"), summary=make_summary())
    (warning,) = warnings_of(said)
    assert "cannot store step 10" in warning
    assert [each["event"] for each in seen(run_folder)] == ["start", "epoch", "epoch", "epoch", "finish"]


def test_a_tracker_whose_process_dies_is_said_once(run_folder):
    said, _ = track(run_folder, choose("Dies"), summary=make_summary())
    (warning,) = warnings_of(said)
    assert "ended with exit code 7" in warning


def test_a_hanging_tracker_neither_slows_training_nor_outlives_the_run(run_folder):
    start = time.perf_counter()
    said, longest = track(run_folder, choose("Hangs", wait_s=4.0), epochs=2000, summary=make_summary())
    assert longest < 2.0  # one that waited for the tracker would take all of the four
    assert 4.0 <= time.perf_counter() - start < 30
    full, late = warnings_of(said)
    assert "slower than training" in full
    assert "was stopped" in late
    assert not is_alive(int((run_folder / "pid").read_text()))


def test_a_failing_tracker_leaves_the_other_alone(run_folder):
    said, _ = track(run_folder, choose("CannotStart", "Recording"), summary=make_summary())
    assert len(warnings_of(said)) == 1
    assert [each["event"] for each in seen(run_folder)] == ["start", "epoch", "epoch", "epoch", "finish"]


def test_a_full_queue_drops_the_oldest_epochs_and_says_so_once(run_folder):
    said = []
    relay = Relay(choose("Waits").choices[0], said.append, capacity=5)
    relay.start(make_info(run_folder))
    for epoch in range(1, 2001):  # more than the pipe between the processes holds
        relay.epoch(make_report(epoch))
    (run_folder / "go").touch()
    relay.finish(make_summary())
    relay.end({})
    assert relay.has_ended(60)
    relay.say_what_is_new()
    steps = [each["step"] for each in seen(run_folder) if each["event"] == "epoch"]
    assert steps[-5:] == [19960, 19970, 19980, 19990, 20000]
    assert steps == sorted(steps)
    assert len(steps) < 2000
    assert seen(run_folder)[-1]["event"] == "finish"
    assert len(warnings_of(said)) == 1


def test_what_a_package_prints_is_no_answer(run_folder):
    said, _ = track(run_folder, choose("Chatters"), summary=make_summary())
    assert warnings_of(said) == []
    log = (run_folder / "trackers" / "chatters.log").read_text()
    assert "this is no answer" in log
    assert "nor is this" in log


def test_the_id_of_a_run_stays_when_it_goes_on(run_folder):
    for start_step in (0, 20):
        with relaying(choose("Recording"), print, pictures={}) as (relay,):
            relay.start(make_info(run_folder, start_step=start_step))
    starts = [each for each in seen(run_folder) if each["event"] == "start"]
    assert [each["start_step"] for each in starts] == [0, 20]
    assert starts[0]["id"] == starts[1]["id"]
