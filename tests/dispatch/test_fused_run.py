"""Stacked runs against the same runs trained one by one."""

import os
import signal

import pytest
import torch
from safetensors.torch import load_file

from windtunnel.config.experiment import Experiment
from windtunnel.dispatch.fused import run as module
from windtunnel.dispatch.fused.run import Probe, train_fused
from windtunnel.track.files import read_rows
from windtunnel.training import run as ordinary
from windtunnel.training.run import resume, train_in

TREE = {
    "name": "small",
    "data": {"source": "digits", "split": {"name": "official", "validation": 0.1}, "batch_size": 16, "train_limit": 96},
    "augment": [{"name": "random_crop", "padding": 1}],
    "model": {"name": "cnn", "widths": [8, 8], "hidden": 8},
    "train": {"epochs": 2.0},
    "runtime": {"device": "cpu", "tune_allocator": False, "augment_backend": "torch"},
}
SGD = {"name": "sgd", "lr": 0.05}


@pytest.fixture(scope="module", autouse=True)
def one_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def no_pictures(monkeypatch):
    """Leave out curves and pages, which take longer than these trainings."""
    for each in (module, ordinary):
        monkeypatch.setattr(each, "save_curves", lambda folder: None)
        monkeypatch.setattr(each, "write_report", lambda folder: None)


def experiment(**fields):
    return Experiment.model_validate(TREE | fields)


def train_both_ways(experiments, tmp_path):
    """Return the folders of runs trained apart and of the same runs stacked."""
    apart = [tmp_path / f"apart{index}" for index in range(len(experiments))]
    stacked = [tmp_path / f"stacked{index}" for index in range(len(experiments))]
    for folder, wanted in zip(apart, experiments, strict=True):
        train_in(folder, wanted)
    result = train_fused(experiments, stacked, when="possible")
    assert result.fused, result.reason
    return list(zip(apart, stacked, strict=True))


def assert_alike(one, other):
    for mine, theirs in zip(read_rows(one / "metrics.csv"), read_rows(other / "metrics.csv"), strict=True):
        for column in ("train_loss", "val_loss", "lr"):
            assert float(mine[column]) == pytest.approx(float(theirs[column]), rel=2e-4)
        assert (mine["epoch"], mine["step"]) == (theirs["epoch"], theirs["step"])
    weights, others = (load_file(folder / "checkpoints" / "last.safetensors") for folder in (one, other))
    assert set(weights) == set(others)
    for name, weight in weights.items():
        torch.testing.assert_close(weight, others[name], rtol=5e-3, atol=2e-4, msg=lambda text, name=name: name + text)


@pytest.mark.parametrize(
    "differing",
    [
        # orders of their own, every number of SGD, smoothing and schedule differ
        [
            {"optim": SGD},
            {"optim": SGD | {"lr": 0.2, "weight_decay": 0.01}, "seed": 4, "loss": {"name": "cross_entropy"}},
            {"optim": SGD | {"momentum": 0.5}, "loss": {"name": "cross_entropy", "label_smoothing": 0.2}, "seed": 2},
        ],
        # one order, decoupled decay, clipping, groups, soft labels
        [
            {
                "optim": {"name": "adamw", "lr": rate, "groups": [{"match": "@norm", "weight_decay": 0.0}]},
                "train": {"epochs": 2.0, "clip_norm": 0.5},
                "augment": [{"name": "mixup"}],
                "schedule": "constant",
            }
            for rate in (1e-3, 4e-3)
        ],
        # L2 penalty in Adam, SGD's plain form is the third optimizer
        [{"optim": {"name": "adam", "lr": 2e-3, "weight_decay": decay}} for decay in (0.0, 0.05)],
        [{"optim": SGD | {"momentum": 0.0, "nesterov": False}, "seed": seed} for seed in (0, 1)],
    ],
    ids=["sgd", "adamw", "adam", "plain sgd"],
)
@pytest.mark.usefixtures("no_pictures")
def test_stacked_runs_equal_those_trained_apart(differing, tmp_path):
    experiments = [experiment(**fields) for fields in differing]
    for one, other in train_both_ways(experiments, tmp_path):
        assert_alike(one, other)


def test_a_stacked_run_is_an_ordinary_run_folder(tmp_path):
    experiments = [experiment(optim=SGD, seed=seed) for seed in (0, 1)]
    result = train_fused(experiments, [tmp_path / "a", tmp_path / "b"], when="possible")
    for each, wanted in zip(result.runs, experiments, strict=True):
        names = {path.name for path in each.folder.iterdir()}
        assert {"config.yaml", "metrics.csv", "events.jsonl", "summary.json", "env.json", "report.html"} <= names
        assert (each.status, each.summary["seed"], each.summary["steps"]) == ("finished", wanted.seed, 12)
        assert 0 < each.summary["metrics"]["test_accuracy"] <= 1
        assert resume(each.folder).summary["status"] == "finished"


class StopAt:
    """Sends this process a SIGTERM after a step."""

    def __init__(self, step):
        self._step = step

    def start(self, info):
        pass

    def step(self, step):
        if step.step == self._step:
            os.kill(os.getpid(), signal.SIGTERM)

    def epoch(self, report):
        pass

    def message(self, text):
        pass

    def finish(self, summary):
        pass


@pytest.mark.usefixtures("no_pictures")
def test_an_interrupted_stack_goes_on_run_by_run(tmp_path):
    experiments = [experiment(optim={"name": "adamw"}, seed=seed) for seed in (0, 1)]
    folders = [tmp_path / "a", tmp_path / "b"]
    stopped = train_fused(experiments, folders, when="possible", trackers=[StopAt(8)])
    assert [(each.status, each.exit_code) for each in stopped.runs] == [("interrupted", 143)] * 2
    again = train_fused(experiments, folders, when="possible")
    assert not again.fused
    for wanted, folder in zip(experiments, folders, strict=True):
        train_in(tmp_path / f"whole{wanted.seed}", wanted)
        assert_alike(folder, tmp_path / f"whole{wanted.seed}")


@pytest.mark.usefixtures("no_pictures")
def test_one_run_that_diverges_does_not_touch_the_other(tmp_path):
    good, bad = experiment(optim=SGD), experiment(optim=SGD | {"lr": 1e30}, seed=1)
    result = train_fused([good, bad], [tmp_path / "good", tmp_path / "bad"], when="possible")
    assert [each.status for each in result.runs] == ["finished", "diverged"]
    assert result.runs[1].summary["steps"] == 6
    train_in(tmp_path / "apart", good)
    assert_alike(tmp_path / "good", tmp_path / "apart")


@pytest.mark.usefixtures("no_pictures")
def test_a_network_with_dropout_is_trained_apart_and_says_why(tmp_path):
    model = {"name": "mlp", "dropout": 0.2}
    experiments = [experiment(model=model, optim=SGD, seed=seed) for seed in (0, 1)]
    result = train_fused(experiments, [tmp_path / "a", tmp_path / "b"], when="possible")
    assert (result.fused, [each.status for each in result.runs]) == (False, ["finished"] * 2)
    assert "random" in result.reason


@pytest.mark.usefixtures("no_pictures")
def test_where_fusing_is_slower_runs_are_trained_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "probe_fusion", lambda plan, steps: Probe(fused_s=0.2, separate_s=0.1))
    experiments = [experiment(optim=SGD, seed=seed) for seed in (0, 1)]
    result = train_fused(experiments, [tmp_path / "a", tmp_path / "b"])
    assert (result.fused, len(result.runs)) == (False, 2)
    assert "0.2000 s fused and 0.1000 s apart" in result.reason
