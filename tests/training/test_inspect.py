import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from windtunnel.config.experiment import Experiment
from windtunnel.errors import CheckpointError, DataError, UsageError
from windtunnel.training.inspect import evaluate
from windtunnel.training.predict import predict
from windtunnel.training.run import train


@pytest.fixture
def run(tiny: Experiment, runs_dir: Path) -> Path:
    return train(tiny, runs_dir=runs_dir).folder


def test_evaluation_repeats_the_figures_of_training(run: Path, tiny: Experiment) -> None:
    rows = list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))
    assert evaluate(run).metrics.accuracy == pytest.approx(float(rows[-1]["val_accuracy"]))


def test_evaluation_knows_runs_by_name_and_as_last(run: Path, runs_dir: Path) -> None:
    by_name = evaluate(run.name, split="test", runs_dir=runs_dir)
    assert by_name == evaluate("last", split="test", runs_dir=runs_dir)
    assert by_name.metrics.images == 359


def test_unknown_run_gets_a_near_name(run: Path, runs_dir: Path) -> None:
    with pytest.raises(UsageError, match="did you mean"):
        evaluate(run.name[:-1], runs_dir=runs_dir)


def test_missing_part_is_named(tiny: Experiment, runs_dir: Path) -> None:
    data = {**tiny.data.model_dump(), "split": {"name": "official", "validation": 0.0}}
    plain = Experiment.model_validate({**tiny.model_dump(), "data": data})
    with pytest.raises(UsageError, match="no validation part"):
        evaluate(train(plain, runs_dir=runs_dir).folder)


def test_missing_weights_are_named(run: Path) -> None:
    (run / "checkpoints" / "best.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"best\.safetensors"):
        evaluate(run, weights="best")


def test_test_time_augmentation_can_be_chosen(run: Path) -> None:
    assert evaluate(run, tta="flip").tta == "flip"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(3):
        Image.fromarray(np.full((8, 8), 80 * index, dtype=np.uint8)).save(folder / f"{index}.png")
    return folder


def test_prediction_writes_a_row_for_each_image(run: Path, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "preds.csv"
    assert predict(run, images=pictures, out=out) == 3
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["file"] for row in rows] == ["0.png", "1.png", "2.png"]
    assert all(row["class"] == row["label"] and 0.1 <= float(row["probability"]) <= 1 for row in rows)


def test_prediction_does_not_depend_on_the_company(run: Path, pictures: Path, tmp_path: Path) -> None:
    predict(run, images=pictures, out=tmp_path / "all.csv")
    predict(run, images=pictures / "1.png", out=tmp_path / "one.csv")
    one = (tmp_path / "one.csv").read_text().splitlines()[1]
    assert one == (tmp_path / "all.csv").read_text().splitlines()[2]


def test_prediction_reads_arrays(run: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "images.npz", images=np.zeros((5, 8, 8), dtype=np.uint8))
    assert predict(run, images=tmp_path / "images.npz", out=tmp_path / "out.csv") == 5


@pytest.mark.parametrize(
    "array", [np.zeros((2, 9, 8), np.uint8), np.zeros((2, 8, 8), np.float32), np.zeros((0, 8, 8), np.uint8)]
)
def test_arrays_that_do_not_fit_are_refused(run: Path, tmp_path: Path, array: np.ndarray) -> None:
    np.savez(tmp_path / "images.npz", images=array)
    with pytest.raises(DataError, match=r"images\.npz"):
        predict(run, images=tmp_path / "images.npz", out=tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_folder_without_images_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no image"):
        predict(run, images=tmp_path / "empty", out=tmp_path / "out.csv")


def test_photos_are_resized_as_the_training_images_were(tiny: Experiment, tmp_path: Path, runs_dir: Path) -> None:
    generator = np.random.default_rng(0)
    for split, label in [(split, label) for split in ("train", "test") for label in ("cat", "dog")]:
        folder = tmp_path / "photos" / split / label
        folder.mkdir(parents=True)
        for index in range(4):
            Image.fromarray(generator.integers(0, 255, (20, 14, 3), dtype=np.uint8)).save(folder / f"{index}.png")
    source = {"name": "image_folder", "path": str(tmp_path / "photos"), "image_size": 8}
    fields = tiny.model_dump() | {"data": {"source": source, "batch_size": 4}, "evaluate": {"batch_size": 4}}
    folder = train(Experiment.model_validate(fields), runs_dir=runs_dir).folder
    assert predict(folder, images=tmp_path / "photos" / "test", out=tmp_path / "preds.csv") == 8
