import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch.nn.functional import cross_entropy

from windtunnel.config.experiment import Experiment
from windtunnel.errors import CheckpointError, ConfigError, DataError, UsageError
from windtunnel.evaluation.calibration import fit_temperature
from windtunnel.evaluation.predict import predict_logits
from windtunnel.evaluation.tta import PlainView
from windtunnel.training.folder import open_run
from windtunnel.training.inspect import evaluate
from windtunnel.training.loaders import build_loader
from windtunnel.training.predict import predict
from windtunnel.training.run import train
from windtunnel.training.trained import load_trained


@pytest.fixture(scope="module")
def trained(tiny: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tiny, runs_dir=tmp_path_factory.mktemp("trained")).folder


@pytest.fixture
def run(trained: Path, runs_dir: Path) -> Path:
    """A trained run that the test may spoil."""
    return Path(shutil.copytree(trained, runs_dir / "tests" / trained.name))


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


def test_views_can_be_chosen_and_are_set_beside_the_plain_prediction(run: Path) -> None:
    plain, flipped = evaluate(run), evaluate(run, tta="flip")
    assert plain.tta_effect is None
    assert flipped.tta == "flip" and flipped.tta_effect is not None
    assert flipped.tta_effect.plain_accuracy == plain.metrics.accuracy
    assert flipped.tta_effect.passes_per_image == 2
    assert flipped.tta_effect.seconds > 0 < flipped.tta_effect.plain_seconds


def test_views_for_none_of_the_images_are_the_plain_prediction(run: Path) -> None:
    assert evaluate(run, tta="{name: flip, only_least_confident: 0}").metrics == evaluate(run).metrics


@pytest.mark.parametrize("tta", ["flipp", "{name: views, views: []}", "{name: flip", "3"])
def test_views_that_make_no_sense_are_refused(run: Path, tta: str) -> None:
    with pytest.raises(ConfigError, match="tta"):
        evaluate(run, tta=tta)


TOO_FAR = {"name": "views", "views": [{"name": "shift", "dx": 8}]}


def test_views_larger_than_the_images_are_refused_before_anything_is_trained(tiny: Experiment, runs_dir: Path) -> None:
    experiment = Experiment.model_validate({**tiny.model_dump(), "evaluate": {"tta": TOO_FAR}})
    with pytest.raises(UsageError, match=r"dx 8 .* width of 8"):
        train(experiment, runs_dir=runs_dir)
    assert not runs_dir.exists()


def test_temperature_comes_from_validation_and_is_measured_on_the_test_images(run: Path, tiny: Experiment) -> None:
    parts = load_trained(open_run(run), tiny, "last")
    logits = {
        split: predict_logits(
            parts.model, build_loader(tiny, parts.data, split, parts.precision, training=False), PlainView()
        )
        for split in ("validation", "test")
    }
    found = evaluate(run, split="test").calibration
    assert found is not None and parts.data.validation is not None and parts.data.test is not None
    assert found.temperature == pytest.approx(fit_temperature(logits["validation"], parts.data.validation.labels))
    expected = cross_entropy(logits["test"] / found.temperature, parts.data.test.labels)
    assert found.loss == pytest.approx(expected.item(), rel=1e-5)
    assert found.fitted_on == "validation"


def test_test_figures_are_those_of_the_summary(run: Path) -> None:
    metrics, summary = evaluate(run, split="test").metrics, open_run(run).read_summary()
    assert summary is not None
    kept = {name: summary["metrics"][f"test_{name}"] for name in ("loss", "accuracy", "calibration_error")}
    assert kept == {name: getattr(metrics, name) for name in kept}


def test_a_diverged_run_is_measured_and_drawn_without_a_temperature(tiny: Experiment, runs_dir: Path) -> None:
    diverging = {**tiny.model_dump(), "optim": {"name": "sgd", "lr": 1e30}}
    folder = train(Experiment.model_validate(diverging), runs_dir=runs_dir).folder
    result = evaluate(folder, out=runs_dir / "figures")
    assert result.calibration is None
    assert json.loads((runs_dir / "figures" / "metrics.json").read_text())["metrics"]["loss"] is None


def test_validation_is_not_scaled_by_a_temperature_fitted_on_itself(run: Path) -> None:
    found = evaluate(run).calibration
    assert found is not None
    assert found.fitted_on == "the other half of validation"


def test_without_validation_there_is_no_temperature(tiny: Experiment, runs_dir: Path) -> None:
    data = {**tiny.data.model_dump(), "split": {"name": "official", "validation": 0.0}}
    plain = Experiment.model_validate({**tiny.model_dump(), "data": data})
    assert evaluate(train(plain, runs_dir=runs_dir).folder, split="test").calibration is None


def test_pictures_and_tables_agree_with_the_result(run: Path, tmp_path: Path) -> None:
    result = evaluate(run, split="test", out=tmp_path / "new" / "folder")
    out = tmp_path / "new" / "folder"
    assert sorted(path.name for path in out.iterdir()) == [
        "confusion.csv",
        "confusion.png",
        "errors.png",
        "metrics.json",
        "per_class.csv",
        "reliability.png",
    ]
    assert json.loads((out / "metrics.json").read_text())["metrics"]["accuracy"] == result.metrics.accuracy
    rows = list(csv.DictReader((out / "per_class.csv").read_text().splitlines()))
    assert [int(row["images"]) for row in rows] == [each.images for each in result.metrics.per_class]
    lines = (out / "confusion.csv").read_text().splitlines()[1:]
    matrix = [[int(cell) for cell in row[1:]] for row in csv.reader(lines)]
    assert matrix == [list(row) for row in result.confusion]
    assert sum(matrix[index][index] for index in range(10)) == round(result.metrics.accuracy * 359)
    for path in out.glob("*.png"):
        with Image.open(path) as picture:
            assert picture.size[0] > 500


def test_a_folder_that_cannot_be_made_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="choose another folder"):
        evaluate(run, out=tmp_path / "file")


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
