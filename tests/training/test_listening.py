import json
import time
from pathlib import Path

import pytest

from windtunnel.config.files import read_yaml
from windtunnel.errors import UsageError
from windtunnel.track.choice import Choice, Tracking
from windtunnel.training.listening import listeners_of
from windtunnel.training.run import resume, train, train_in
from windtunnel.training.team import Team

SINKS = Path(__file__).parent.parent / "track" / "fake_sinks.py"


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch):
    monkeypatch.delenv("WINDTUNNEL_TRACK", raising=False)
    monkeypatch.setenv("WINDTUNNEL_TRACK_WAIT_S", "3")


def messages(folder):
    events = map(json.loads, (folder / "events.jsonl").read_text().splitlines())
    return [event["text"] for event in events if event["event"] == "message"]


def seen(folder):
    return [json.loads(line) for line in (folder / "seen.jsonl").read_text().splitlines()]


def test_a_run_with_trackers_that_fail_and_hang_ends_as_one_without(tiny, tmp_path, caplog):
    plain = train(tiny, runs_dir=tmp_path / "plain")
    start = time.perf_counter()
    tracked = train(tiny, runs_dir=tmp_path / "tracked", track=[f"{SINKS}:CannotStart", f"{SINKS}:Hangs"])
    assert time.perf_counter() - start < 60
    assert tracked.summary["metrics"] == plain.summary["metrics"]
    said = messages(tracked.folder)
    assert sum("failed: ConnectionError" in text for text in said) == 1
    assert sum("was stopped" in text for text in said) == 1
    assert [record.message.split()[0] for record in caplog.records] == ["tracker", "tracker"]
    assert read_yaml(tracked.folder / "config.yaml") == read_yaml(plain.folder / "config.yaml")


@pytest.mark.usefixtures("pictures")
def test_a_tracker_gets_what_the_run_reports_and_its_picture(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("WINDTUNNEL_TRACK", f"{SINKS}:Recording")
    monkeypatch.setenv("WINDTUNNEL_TRACK_WAIT_S", "60")
    result = train_in(tmp_path / "run", tiny)  # as workers do
    start, *epochs, picture, finish = seen(result.folder)
    assert start["config"]["optim.lr"] == 0.05
    assert [each["metrics"]["epoch"] for each in epochs] == [1, 2, 3, 4]
    assert epochs[-1]["metrics"]["val/accuracy"] == result.summary["metrics"]["val_accuracy"]
    assert picture["bytes"] == (result.folder / "curves.png").stat().st_size
    assert finish["metrics"]["test/accuracy"] == result.summary["metrics"]["test_accuracy"]
    assert finish["summary"]["device"] == result.summary["device"]


def test_a_run_that_goes_on_keeps_its_trackers(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("WINDTUNNEL_TRACK_WAIT_S", "60")
    folder = train(tiny, runs_dir=tmp_path, track=[f"{SINKS}:Recording"]).folder
    (folder / "summary.json").unlink()  # as if it had been killed just before
    resume(folder)
    starts = [each for each in seen(folder) if each["event"] == "start"]
    assert [each["start_step"] for each in starts] == [0, 32]
    assert starts[0]["id"] == starts[1]["id"]


def test_an_unknown_tracker_is_refused_before_anything_is_written(tiny, tmp_path):
    with pytest.raises(UsageError, match="no tracker 'wandbee'"):
        train(tiny, runs_dir=tmp_path, track=["wandbee"])
    assert list(tmp_path.iterdir()) == []


def test_of_several_processes_only_the_leader_is_listened_to(tmp_path):
    tracking = Tracking((Choice("recording", f"{SINKS}:Recording"),))
    with listeners_of(tmp_path, (), tracking, Team(rank=1, size=2)) as listeners:
        assert listeners == ()
    with listeners_of(tmp_path, (), tracking, Team(rank=0, size=2)) as listeners:
        assert len(listeners) == 2
