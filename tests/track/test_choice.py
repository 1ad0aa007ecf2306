import importlib.util
from pathlib import Path

import pytest

from windtunnel.errors import UsageError
from windtunnel.track.choice import TRACKERS, choose_trackers, record_choice

SINKS = Path(__file__).with_name("fake_sinks.py")


@pytest.fixture(autouse=True)
def _every_package_is_there(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)


def names(tracking):
    return [choice.name for choice in tracking.choices]


def test_without_any_there_are_none():
    assert choose_trackers().choices == ()


def test_names_come_from_options_and_commas_each_once():
    assert names(choose_trackers(["wandb,mlflow", " tensorboard ,wandb"])) == ["wandb", "mlflow", "tensorboard"]


def test_the_environment_is_asked_when_nothing_else_is_said(monkeypatch):
    monkeypatch.setenv("WINDTUNNEL_TRACK", "trackio")
    assert names(choose_trackers()) == ["trackio"]
    assert names(choose_trackers(["wandb"])) == ["wandb"]
    assert names(choose_trackers(["none"])) == []


def test_a_run_that_goes_on_keeps_its_trackers(tmp_path, monkeypatch):
    record_choice(TRACKERS["wandb"], tmp_path)
    record_choice(TRACKERS["mlflow"], tmp_path)
    assert names(choose_trackers(None, tmp_path)) == ["mlflow", "wandb"]
    assert names(choose_trackers(["none"], tmp_path)) == []
    monkeypatch.setenv("WINDTUNNEL_TRACK", "trackio")
    assert names(choose_trackers(None, tmp_path)) == ["trackio"]


def test_ones_own_tracker_is_named_by_its_path(tmp_path):
    own = f"{SINKS}:Recording"
    (choice,) = choose_trackers([own]).choices
    assert choice.target == own
    record_choice(choice, tmp_path)
    assert names(choose_trackers(None, tmp_path)) == [own]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            "wandbb",
            "no tracker 'wandbb': choose from tensorboard, wandb, mlflow, trackio or none; did you mean 'wandb'",
        ),
        (f"{SINKS}:Nothing", "has no 'Nothing'"),
        ("no_such_package:Sink", "cannot import"),
    ],
)
def test_an_unknown_tracker_is_named(asked, said):
    with pytest.raises(UsageError, match=said):
        choose_trackers([asked])


@pytest.mark.parametrize("name", list(TRACKERS))
def test_a_missing_package_is_named_with_what_installs_it(name, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    with pytest.raises(UsageError, match=rf"tracker {name} needs .*pip install 'windtunnel\[{name}\]'"):
        choose_trackers([name])


@pytest.mark.parametrize("text", ["soon", "-1", "inf", "nan"])
def test_the_time_to_wait_is_checked(text, monkeypatch):
    monkeypatch.setenv("WINDTUNNEL_TRACK_WAIT_S", text)
    with pytest.raises(UsageError, match="WINDTUNNEL_TRACK_WAIT_S"):
        choose_trackers()


def test_the_time_to_wait_is_read(monkeypatch):
    assert choose_trackers().wait_s == 30
    monkeypatch.setenv("WINDTUNNEL_TRACK_WAIT_S", "2.5")
    assert choose_trackers().wait_s == 2.5


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "trackers").mkdir()
    (tmp_path / "trackers" / "wandb.json").write_text("{")
    with pytest.raises(UsageError, match=r"wandb.json cannot be read"):
        choose_trackers(None, tmp_path)
