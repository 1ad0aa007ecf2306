"""``--track`` of the verbs that train."""

import importlib.util
import os

import pytest

from windtunnel.cli.options import as_options
from windtunnel.cli.train import train


@pytest.mark.parametrize("more", [(), ("--dry-run",), ("--nproc", "2")])
def test_an_unknown_tracker_is_refused_before_anything_is_computed(cli, more):
    ended = cli("train", "quickstart", "--track", "wandbee", *more)
    assert ended.code == 2
    assert "no tracker 'wandbee'" in ended.err
    assert "did you mean 'wandb'" in ended.err
    assert os.listdir() == []


def test_a_missing_package_is_named_with_what_installs_it(cli, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("WINDTUNNEL_TRACK", "mlflow")
    ended = cli("train", "quickstart")
    assert ended.code == 2
    assert "pip install 'windtunnel[mlflow]'" in ended.err
    assert os.listdir() == []


def test_several_processes_are_given_the_trackers(cli, monkeypatch):
    launched = []
    monkeypatch.setattr("windtunnel.cli.train.launch_and_exit", lambda words, **_: launched.append(words))
    monkeypatch.setattr("windtunnel.training.run.train", lambda *_, **__: pytest.fail("trained here"))
    with pytest.raises(pytest.fail.Exception):
        train("quickstart", nproc=2, track=["none"])
    assert launched == [["train", "quickstart", *as_options(["none"])]]
