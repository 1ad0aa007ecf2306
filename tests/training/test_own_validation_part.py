from pathlib import Path

import numpy as np
import pytest

from windtunnel.config.experiment import Experiment
from windtunnel.errors import ConfigError
from windtunnel.training.run import train


@pytest.fixture
def watched(tmp_path: Path, tiny: Experiment) -> Experiment:
    """Return a run that stops once its validation accuracy is stale, on a set of two parts of its own."""
    random = np.random.default_rng(0)
    arrays = {f"{part}_images": random.integers(0, 256, (32, 8, 8), dtype=np.uint8) for part in ("train", "val")}
    np.savez(tmp_path / "own.npz", **arrays, train_labels=np.arange(32) % 2, val_labels=np.arange(32) % 2)
    data = {"source": {"name": "npz", "path": str(tmp_path / "own.npz")}, "batch_size": 16}
    rule = {"patience": 1, "min_delta": 100.0}
    fields = {**tiny.model_dump(), "data": data, "train": {**tiny.train.model_dump(), "early_stopping": rule}}
    return Experiment.model_validate(fields)


def test_a_sets_own_validation_part_stops_a_run_early(watched: Experiment, runs_dir: Path) -> None:
    summary = train(watched, runs_dir=runs_dir).summary
    assert summary["reason"] == "early stopping: val_loss stale for 1 validations"


def test_a_set_without_one_is_refused_before_the_run_folder(watched: Experiment, runs_dir: Path) -> None:
    path = Path(watched.data.source.model_dump()["path"])
    with np.load(path) as arrays:
        np.savez(path, **{name: arrays[name] for name in ("train_images", "train_labels")})
    with pytest.raises(
        ConfigError, match=r"early_stopping: needs a validation part and own brings none .*split\.validation"
    ):
        train(watched, runs_dir=runs_dir)
    assert not runs_dir.exists()
