"""Predicting with several runs, in a competition's form, and what is refused before a network is loaded."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from windtunnel.config.experiment import Experiment
from windtunnel.errors import CheckpointError, DataError, UsageError
from windtunnel.training import predict as predicting
from windtunnel.training.predict import predict
from windtunnel.training.run import train

IDS = ("14", "3", "99", "7")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs of one epoch that differ in their seed."""
    fields = {
        "name": "tiny",
        "data": {
            "source": "digits",
            "split": {"name": "official", "validation": 0.1},
            "batch_size": 32,
            "train_limit": 128,
        },
        "model": {"name": "cnn", "widths": (8, 8), "hidden": 8},
        "train": {"epochs": 1.0},
        "runtime": {"device": "cpu", "tune_allocator": False},
    }
    folder = tmp_path_factory.mktemp("runs")
    first, second = (train(Experiment.model_validate(fields | {"seed": seed}), runs_dir=folder) for seed in (0, 1))
    return first.folder, second.folder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "test.npz", data=pixels, ids=np.array(IDS))
    return tmp_path / "test.npz"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise AssertionError("a network was loaded")

    monkeypatch.setattr(predicting, "load_classifier", refuse)


def _read(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text().splitlines()))


def test_several_runs_give_the_mean_of_their_probabilities(runs, images, tmp_path):
    written = []
    for number, chosen in enumerate([runs[0], runs[1], runs]):
        out = tmp_path / f"{number}.csv"
        assert predict(chosen, images=images, out=out, header=["ID", "Labels"], probabilities=True) == 4
        written.append(np.array([[float(cell) for cell in row[2:]] for row in _read(out)[1:]]))
    assert np.abs(written[0] - written[1]).max() > 0.01
    assert np.allclose(written[2], (written[0] + written[1]) / 2, atol=1e-6)
    assert [int(row[1]) for row in _read(tmp_path / "2.csv")[1:]] == written[2].argmax(1).tolist()


def test_a_sample_decides_header_and_order_and_each_id_keeps_its_answer(runs, images, tmp_path):
    predict(runs[0], images=images, out=tmp_path / "own.csv", header=["ID", "Labels"])
    (tmp_path / "sample.csv").write_text("Id,Category\n" + "".join(f"{name},0\n" for name in sorted(IDS)))
    predict(runs[0], images=images, out=tmp_path / "out.csv", sample_submission=tmp_path / "sample.csv")
    header, *rows = _read(tmp_path / "out.csv")
    assert (header, [row[0] for row in rows]) == (["Id", "Category"], sorted(IDS))
    assert {row[0]: row[1] for row in rows} == {row[0]: row[1] for row in _read(tmp_path / "own.csv")[1:]}


@pytest.mark.usefixtures("no_network")
def test_a_sample_of_another_length_costs_no_network(runs, images, tmp_path):
    (tmp_path / "sample.csv").write_text("ID,Labels\n14,0\n3,0\n")
    with pytest.raises(DataError, match="2 ids and there are 4 images"):
        predict(runs[0], images=images, out=tmp_path / "out.csv", sample_submission=tmp_path / "sample.csv")


@pytest.mark.usefixtures("no_network")
def test_missing_weights_of_the_second_run_cost_no_network(runs, images, tmp_path):
    with pytest.raises(CheckpointError, match="no ema weights"):
        predict(runs, images=images, out=tmp_path / "out.csv", weights="ema")


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("out", ["nowhere/out.csv", "."])
def test_a_place_that_cannot_be_written_costs_no_network(runs, images, tmp_path, out):
    with pytest.raises(UsageError, match="--out"):
        predict(runs[0], images=images, out=tmp_path / out)


@pytest.mark.usefixtures("no_network")
def test_runs_of_other_classes_are_refused_and_the_difference_is_named(runs, images, tmp_path):
    other = tmp_path / "other"
    (other / "checkpoints").mkdir(parents=True)
    (other / "checkpoints" / "last.safetensors").touch()
    (other / "config.yaml").write_text((runs[0] / "config.yaml").read_text())
    environment = json.loads((runs[0] / "env.json").read_text())
    environment["data"] |= {"name": "set", "classes": ["ant", "bee"]}
    (other / "env.json").write_text(json.dumps(environment))
    with pytest.raises(UsageError, match=r"other classes.*10 classes of digits, 2 of set"):
        predict([runs[0], other], images=images, out=tmp_path / "out.csv")


def test_answers_that_are_no_numbers_are_refused(runs, images, tmp_path, monkeypatch):
    monkeypatch.setattr(predicting, "predict_images", lambda parts, images: torch.full((4, 10), torch.nan))
    with pytest.raises(CheckpointError, match="no finite numbers"):
        predict(runs[0], images=images, out=tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_no_run_is_refused(images, tmp_path):
    with pytest.raises(UsageError, match="no run"):
        predict([], images=images, out=tmp_path / "out.csv")
