import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from windtunnel.config.experiment import Experiment
from windtunnel.errors import DataError, UsageError
from windtunnel.evaluation.shift.corruptions import corruptions_for
from windtunnel.training import shift as measuring
from windtunnel.training.inspect import evaluate
from windtunnel.training.run import train
from windtunnel.training.shift import evaluate_shift

FIELDS = {
    "name": "tiny",
    "data": {"source": "digits", "split": {"name": "official", "validation": 0.1}, "batch_size": 64},
    "model": {"name": "mlp", "widths": (32,)},
    "optim": {"name": "sgd", "lr": 0.1},
    "train": {"epochs": 3.0},
    "runtime": {"device": "cpu", "tune_allocator": False},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(Experiment.model_validate(FIELDS), runs_dir=tmp_path_factory.mktemp("runs")).folder


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("target") / "target.npz"
    np.savez(path, images=np.random.default_rng(0).integers(0, 17, (20, 8, 8), dtype=np.uint8))
    return path


@pytest.fixture(scope="module")
def result(run, target):
    return evaluate_shift(run, target=target)


def test_every_corruption_is_measured_in_five_severities_and_hurts(run, result):
    assert {each.corruption for each in result.measured} == {each.name for each in corruptions_for(1)}
    assert len(result.measured) == 5 * len(corruptions_for(1))
    assert result.reference.accuracy == pytest.approx(evaluate(run).metrics.accuracy)
    assert result.mean_corrupted_accuracy < result.reference.accuracy - 0.02


def test_the_estimate_for_a_new_set_carries_the_error_of_held_out_corruptions(result):
    assert result.target.images == 20
    assert result.target.accuracy == result.target.by_estimator[result.choice.estimator]
    assert result.target.error == result.choice.judging_errors[result.choice.estimator]


def test_figures_and_picture_are_left_in_the_run(run, target):
    result = evaluate_shift(run, target=target, max_images=40)
    assert json.loads((run / "shift" / "shift.json").read_text()) == json.loads(json.dumps(result.to_json()))
    assert (run / "shift" / "shift.png").is_file()
    assert result.images == 40


def test_a_target_that_cannot_be_read_costs_no_network(run, tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "load_trained", None)
    with pytest.raises(DataError, match="no file or folder"):
        evaluate_shift(run, target=tmp_path / "missing.npz")


def test_a_run_without_validation_images_is_refused(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace("validation: 0.1", "validation: 0.0"))
    environment = tmp_path / "run" / "env.json"
    noted = json.loads(environment.read_text())
    noted["data"]["splits"] = {}  # or its parts differ
    environment.write_text(json.dumps(noted))
    with pytest.raises(UsageError, match="no validation part"):
        evaluate_shift(tmp_path / "run")
