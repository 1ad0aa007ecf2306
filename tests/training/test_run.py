import errno
import json
import math
import stat
from pathlib import Path
from typing import Any

import pytest
import torch

import windtunnel
from windtunnel.config.experiment import Experiment
from windtunnel.config.files import read_yaml
from windtunnel.core import files
from windtunnel.errors import ConfigError, DataError, ModelError, RunError, UsageError
from windtunnel.training import checkpoint
from windtunnel.training.run import plan, resume, train, train_in


def with_fields(experiment: Experiment, **fields: Any) -> Experiment:
    return Experiment.model_validate({**experiment.model_dump(), **fields})


def with_train(experiment: Experiment, **fields: Any) -> Experiment:
    return with_fields(experiment, train={**experiment.train.model_dump(), **fields})


@pytest.mark.usefixtures("pictures")
def test_three_lines_of_python_train_the_quickstart(runs_dir: Path) -> None:
    experiment = windtunnel.load_recipe("quickstart")
    result = windtunnel.train(experiment, runs_dir=runs_dir)
    assert result.summary["metrics"]["test_accuracy"] >= 0.97


@pytest.mark.usefixtures("pictures")
def test_run_folder_holds_what_the_architecture_says(tiny: Experiment, runs_dir: Path) -> None:
    result = train(with_train(tiny, epochs=1.0), runs_dir=runs_dir, overrides=["optim.lr=0.05"])
    names = {str(path.relative_to(result.folder)) for path in result.folder.rglob("*") if path.is_file()}
    assert names == {
        ".lock",
        "config.yaml",
        "overrides.txt",
        "env.json",
        "metrics.csv",
        "events.jsonl",
        "summary.json",
        "report.html",
        "curves.png",
        "checkpoints/last.safetensors",
        "checkpoints/best.safetensors",
        "checkpoints/state.pt",
    }
    assert Experiment.model_validate(read_yaml(result.folder / "config.yaml")) == with_train(tiny, epochs=1.0)
    assert (result.folder / "overrides.txt").read_text() == "optim.lr=0.05\n"
    events = [json.loads(line)["event"] for line in (result.folder / "events.jsonl").read_text().splitlines()]
    assert events == ["start", "epoch", "finish"]


def test_same_seed_gives_the_same_run_and_another_seed_another(tiny: Experiment, runs_dir: Path) -> None:
    short = with_train(tiny, epochs=1.0)
    losses = [
        train(with_fields(short, seed=seed), runs_dir=runs_dir).summary["metrics"]["train_loss"] for seed in (0, 0, 1)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_training_leaves_the_callers_random_state_alone(tiny: Experiment, runs_dir: Path) -> None:
    before = torch.get_rng_state()
    train(with_train(tiny, epochs=1.0), runs_dir=runs_dir)
    assert torch.equal(before, torch.get_rng_state())


def test_threads_and_determinism_hold_for_the_run_only(tiny: Experiment, runs_dir: Path) -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    runtime = {**tiny.runtime.model_dump(), "threads": before[0] + 1, "deterministic": True}
    result = train(with_fields(with_train(tiny, epochs=1.0), runtime=runtime), runs_dir=runs_dir)
    assert json.loads((result.folder / "env.json").read_text())["threads"] == before[0] + 1
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


def test_fractional_epochs_end_within_an_epoch(tiny: Experiment, runs_dir: Path) -> None:
    summary = train(with_train(tiny, epochs=1.3), runs_dir=runs_dir).summary
    assert summary["steps"] == math.ceil(1.3 * 8)


def test_divergence_ends_the_run_and_keeps_the_last_finite_checkpoint(tiny: Experiment, runs_dir: Path) -> None:
    hot = with_fields(tiny, optim={"name": "sgd", "lr": 1e18, "nesterov": False}, averaging=None)
    result = train(hot, runs_dir=runs_dir)
    assert (result.status, result.exit_code) == ("diverged", 1)
    assert (result.folder / "checkpoints" / "state.pt").exists()
    assert resume(result.folder).status == "diverged"


def test_test_split_stays_unread_when_asked(tiny: Experiment, runs_dir: Path) -> None:
    blind = with_fields(with_train(tiny, epochs=1.0), evaluate={"test": False})
    assert "test_accuracy" not in train(blind, runs_dir=runs_dir).summary["metrics"]


def test_without_validation_nothing_is_validated(tiny: Experiment, runs_dir: Path) -> None:
    summary = train(with_train(tiny, epochs=1.0, validate_every=0.0), runs_dir=runs_dir).summary
    assert "val_accuracy" not in summary["metrics"]
    assert summary["best_validation"] is None


def test_early_stopping_ends_with_the_best_weights(tiny: Experiment, runs_dir: Path) -> None:
    rule = {"metric": "val_loss", "patience": 1, "min_delta": 100.0}
    summary = train(with_train(tiny, early_stopping=rule), runs_dir=runs_dir).summary
    assert summary["reason"] == "early stopping: val_loss stale for 1 validations"
    assert (summary["epochs"], summary["evaluated_weights"]) == (2.0, "best")


def test_plateau_ends_the_run_once_the_rate_is_low_and_resumes_where_it_was(tiny: Experiment, runs_dir: Path) -> None:
    schedule = {"name": "plateau", "patience": 1, "factor": 0.01, "threshold": 0.99, "stop_below_lr": 1e-3}
    result = train(with_fields(with_train(tiny, epochs=9.0), schedule=schedule), runs_dir=runs_dir)
    assert result.summary["reason"].startswith("the learning rate fell below")
    assert result.summary["epochs"] == 3.0
    (result.folder / "summary.json").unlink()
    assert resume(result.folder).summary["steps"] == result.summary["steps"]


def test_bad_data_leaves_no_run_folder(tiny: Experiment, runs_dir: Path) -> None:
    too_large = with_fields(tiny, data={**tiny.data.model_dump(), "batch_size": 100_000})
    with pytest.raises(DataError, match=r"data\.batch_size"):
        train(too_large, runs_dir=runs_dir)
    assert not runs_dir.exists()


def test_network_over_its_budget_is_refused_before_anything_is_written(tiny: Experiment, runs_dir: Path) -> None:
    with pytest.raises(ModelError, match=r"budget\.parameters"):
        train(with_fields(tiny, budget={"parameters": 100}), runs_dir=runs_dir)
    assert not runs_dir.exists()


def test_a_network_of_ones_own_that_cannot_be_built_says_what_it_has_to_take(tiny: Experiment, tmp_path: Path) -> None:
    source = tmp_path / "mine.py"
    source.write_text(
        "from typing import ClassVar\n"
        "from torch import nn\n"
        "from windtunnel.config.base import Component\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, classes): super().__init__()\n"
        "class NetConfig(Component):\n"
        f"    target: ClassVar[str] = '{source}:Net'\n"
        "    name: str\n"
    )
    with pytest.raises(ModelError, match="has to take num_classes, in_channels, image_size as keywords"):
        plan(with_fields(tiny, model={"name": f"{source}:NetConfig"}))


def test_class_weights_of_another_class_count_are_refused(tiny: Experiment) -> None:
    loss = {"name": "cross_entropy", "class_weights": [1.0, 2.0]}
    with pytest.raises(ConfigError, match=r"loss\.class_weights.*10 classes \(got 2\)"):
        plan(with_fields(tiny, loss=loss))


def test_missing_device_is_named(tiny: Experiment) -> None:
    with pytest.raises(UsageError, match=r"runtime\.device"):
        plan(with_fields(tiny, runtime={"device": "cuda:99"}))


def test_place_that_cannot_be_written_is_named(tiny: Experiment, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(UsageError, match="--runs-dir"):
        train(tiny, runs_dir=blocked)


def test_full_disk_keeps_the_previous_checkpoint(
    tiny: Experiment, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves = []
    real = torch.save

    def save(value: Any, path: Path) -> None:
        saves.append(path)
        real(value, path)
        if len(saves) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint.torch, "save", save)
    with pytest.raises(RunError, match="windtunnel resume"):
        train(tiny, runs_dir=runs_dir)
    folder = next(runs_dir.glob("tests/*"))
    assert not list(folder.rglob("*.tmp"))
    monkeypatch.undo()
    assert resume(folder).status == "finished"


def test_memory_that_runs_out_is_said_with_what_takes_less(
    tiny: Experiment, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train_epochs(*_: Any) -> None:
        raise torch.OutOfMemoryError(
            "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of ..."
        )

    monkeypatch.setattr("windtunnel.training.run.train_epochs", train_epochs)
    with pytest.raises(RunError, match=r"stopped: CUDA out of memory\. .* data\.batch_size") as raised:
        train(tiny, runs_dir=runs_dir)
    assert isinstance(raised.value.__cause__, torch.OutOfMemoryError)  # what the dispatcher tries again by


def test_replacing_a_file_keeps_the_old_one_on_failure(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(TypeError, match="JSON"):
        files.write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert stat.S_IMODE(path.stat().st_mode) & 0o444


def test_max_minutes_ends_in_the_middle_of_an_epoch_with_its_reason(tiny: Experiment, runs_dir: Path) -> None:
    summary = train(with_train(tiny, epochs=500.0, max_minutes=0.005), runs_dir=runs_dir).summary
    assert (summary["status"], summary["reason"]) == ("finished", "train.max_minutes=0.005 are over")
    assert summary["steps"] < 4000
    assert "test_accuracy" in summary["metrics"]


def test_a_reached_target_ends_training(tiny: Experiment, runs_dir: Path) -> None:
    result = train(with_train(tiny, target={"value": 0.01}), runs_dir=runs_dir)
    assert (result.summary["reason"], result.summary["epochs"]) == ("val_accuracy reached 0.01", 1.0)
    assert resume(result.folder, runs_dir=runs_dir).summary == result.summary


def test_the_moving_average_is_measured_and_saved_beside_the_weights(tiny: Experiment, runs_dir: Path) -> None:
    result = train(with_fields(with_train(tiny, epochs=2.0), ema={"decay": 0.9}), runs_dir=runs_dir)
    metrics = result.summary["metrics"]
    assert {"val_accuracy_ema", "test_accuracy", "test_accuracy_ema"} <= set(metrics)
    averaged = windtunnel.evaluate(result.folder, split="test", weights="ema")
    assert averaged.metrics.accuracy == pytest.approx(metrics["test_accuracy_ema"])


def test_best_weights_by_the_average_s_metric_are_the_average(tiny: Experiment, runs_dir: Path) -> None:
    rule = {"metric": "val_loss_ema", "patience": 50}
    experiment = with_train(with_fields(tiny, ema={"decay": 0.9}), epochs=1.0, early_stopping=rule)
    folder = train(experiment, runs_dir=runs_dir).folder / "checkpoints"
    assert (folder / "best.safetensors").read_bytes() == (folder / "ema.safetensors").read_bytes()


def test_watching_an_average_that_is_not_kept_is_refused(tiny: Experiment) -> None:
    with pytest.raises(ValueError, match="val_loss_ema is not computed"):
        with_train(tiny, early_stopping={"metric": "val_loss_ema"})


def test_train_in_starts_in_the_folder_and_goes_on_there(tiny: Experiment, tmp_path: Path) -> None:
    first = train_in(tmp_path / "exactly-here", tiny)
    again = train_in(tmp_path / "exactly-here", tiny)
    assert first.folder == again.folder == tmp_path / "exactly-here"
    assert again.summary == first.summary


def test_train_in_refuses_a_folder_of_another_run(tiny: Experiment, tmp_path: Path) -> None:
    train_in(tmp_path / "taken", tiny)
    with pytest.raises(UsageError, match="other settings"):
        train_in(tmp_path / "taken", tiny.model_copy(update={"seed": 9}))
