"""A run is not asked about another data set than the one it was trained on."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from windtunnel.config.experiment import Experiment
from windtunnel.errors import CheckpointError, DataError
from windtunnel.training.inspect import evaluate
from windtunnel.training.predict import predict
from windtunnel.training.run import resume, train


def write_set(path: Path, *, images: int = 40, test: int = 0, names: tuple[str, str] = ("ant", "bee")) -> None:
    arrays = {"class_names": np.array(names)}
    for part, count in (("train", images), ("test", test)):
        if count:
            pixels = np.random.default_rng(0).integers(0, 256, (count, 8, 8), dtype=np.uint8)
            arrays |= {f"{part}_images": pixels, f"{part}_labels": np.arange(count) % 2}
    np.savez(path, **arrays)


@pytest.fixture
def folder(tmp_path: Path, tiny: Experiment, runs_dir: Path) -> Path:
    """Return a run that can be resumed, on the set ``tmp_path/own.npz``."""
    write_set(tmp_path / "own.npz")
    split = {"name": "official", "validation": 0.2}
    data = {"source": {"name": "npz", "path": str(tmp_path / "own.npz")}, "batch_size": 16, "split": split}
    fields = {**tiny.model_dump(), "data": data, "train": {**tiny.train.model_dump(), "epochs": 1.0}}
    done = train(Experiment.model_validate(fields), runs_dir=runs_dir).folder
    (done / "summary.json").unlink()
    return done


CHANGES = [
    ({"images": 42}, r"own has changed since .*: its train and validation images are not the same"),
    ({"names": ("bee", "cat")}, r"its classes were \['ant', 'bee'\] and are \['bee', 'cat'\]\. Bring back"),
]


@pytest.mark.parametrize(("change", "said"), CHANGES, ids=["an-image-more", "a-class-renamed"])
def test_a_changed_set_is_refused(folder: Path, tmp_path: Path, change: dict[str, Any], said: str) -> None:
    before = sorted(path.name for path in folder.rglob("*"))
    write_set(tmp_path / "own.npz", **change)
    for use in (resume, lambda run: evaluate(run, split="validation")):
        with pytest.raises(DataError, match=said):
            use(folder)
    assert sorted(path.name for path in folder.rglob("*")) == before


def test_test_images_may_come_later(folder: Path, tmp_path: Path) -> None:
    write_set(tmp_path / "own.npz", test=10)
    assert evaluate(folder, split="test").metrics.images == 10


@pytest.mark.parametrize("noted", [{"splits": None}, {}, "nothing"])
def test_what_an_older_version_did_not_note_is_not_held_against_it(folder: Path, noted: object) -> None:
    path = folder / "env.json"
    environment = json.loads(path.read_text())
    if noted == {"splits": None}:
        noted = {key: environment["data"][key] for key in ("name", "digest", "splits")}
    path.write_text(json.dumps({**environment, "data": noted}))
    assert resume(folder).summary["status"] == "finished"


def test_images_are_predicted_where_the_data_set_is_not(folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "new.npy", np.random.default_rng(1).integers(0, 256, (3, 8, 8), dtype=np.uint8))
    answers = []
    for _ in range(2):
        assert predict(folder, images=tmp_path / "new.npy", out=tmp_path / "out.csv", probabilities=True) == 3
        answers.append((tmp_path / "out.csv").read_text())
        (tmp_path / "own.npz").unlink(missing_ok=True)
    assert answers[0] == answers[1]
    assert "p_bee" in answers[0] or "bee" in answers[0].splitlines()[0]


DAMAGE = [{"classes": ["ant"] * 2}, {"mean": "x"}, {"image_size": [8]}, None]


@pytest.mark.parametrize("damage", DAMAGE, ids=["classes-alike", "words", "one-side", "nothing"])
def test_a_damaged_note_is_said(folder: Path, tmp_path: Path, damage: dict[str, Any] | None) -> None:
    np.save(tmp_path / "new.npy", np.zeros((3, 8, 8), dtype=np.uint8))
    environment = json.loads((folder / "env.json").read_text())
    noted = damage and {**environment["data"], **damage}
    (folder / "env.json").write_text(json.dumps({**environment, "data": noted}))
    with pytest.raises((CheckpointError, DataError), match=r"env\.json does not say|more than one class"):
        predict(folder, images=tmp_path / "new.npy", out=tmp_path / "out.csv")
