import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from windtunnel.config.experiment import Experiment
from windtunnel.errors import RunError, UsageError
from windtunnel.training import export as exporting
from windtunnel.training.export import FILE_NAMES, export
from windtunnel.training.inspect import evaluate
from windtunnel.training.run import train
from windtunnel.training.shift import evaluate_shift

FIELDS = {
    "name": "tiny",
    "data": {"source": "digits", "split": {"name": "official", "validation": 0.1}, "batch_size": 64},
    "model": {"name": "cnn", "widths": (8, 8), "hidden": 8},
    "optim": {"name": "sgd", "lr": 0.1},
    "train": {"epochs": 1.0},
    "evaluate": {"tta": "flip"},
    "runtime": {"device": "cpu", "tune_allocator": False},
}
needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxscript", "onnxruntime")),
    reason="the onnx extra is not installed",
)
FORMATS = [pytest.param("onnx", marks=needs_onnx), "torch", "state_dict"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(Experiment.model_validate(FIELDS), runs_dir=tmp_path_factory.mktemp("runs")).folder


@pytest.fixture(scope="module", params=FORMATS)
def exported(run, tmp_path_factory, request):
    out = tmp_path_factory.mktemp("exported")
    return request.param, out, export(run, format=request.param, out=out)


def _digits():
    from sklearn.datasets import load_digits

    return torch.from_numpy((load_digits().images * 255 / 16).astype(np.uint8))[:, None]


def _write_own(folder, images):
    pixels, labels = _digits()[:images, 0, :, :, None].numpy(), np.arange(images) % 10
    np.savez(folder / "own.npz", train_images=pixels, train_labels=labels, test_images=pixels, test_labels=labels)


def _train_on_own(folder):
    """Train on images of a file in ``folder``."""
    _write_own(folder, images=200)
    source = {"source": {"name": "npz", "path": str(folder / "own.npz")}}
    experiment = Experiment.model_validate(FIELDS | {"data": FIELDS["data"] | source})
    return train(experiment, runs_dir=folder / "runs").folder


def test_what_was_written_agrees_with_the_run_and_is_listed(exported):
    format, out, result = exported
    assert result.files[0] == out / FILE_NAMES[format]
    assert set(out.iterdir()) == set(result.files)
    assert (result.images, result.largest_difference < 1e-4) == (64, True)


def test_the_example_in_the_card_runs_as_it_stands(exported, monkeypatch):
    _, out, _ = exported
    (program,) = re.findall(r"```python\n(.*?)```", (out / "model_card.md").read_text(), re.DOTALL)
    monkeypatch.chdir(out)
    names = {}
    exec(program, names)
    assert len(names["logits"][0]) == 10 if "logits" in names else not names["network"].training


def test_the_program_takes_bytes_in_any_number_and_is_as_right_as_the_run(run, tmp_path):
    export(run, format="torch", out=tmp_path)
    network = torch.export.load(tmp_path / "model.pt2").module()
    images = _digits()
    for count in (1, 2, 5):
        assert torch.allclose(network(images[:count]), network(images)[:count], atol=1e-4)
    from windtunnel.training.folder import open_run
    from windtunnel.training.trained import load_trained

    validation = load_trained(open_run(run), open_run(run).read_experiment(), "last").data.validation
    right = (network(validation.images.contiguous()).argmax(1) == validation.labels).double().mean().item()
    assert right == pytest.approx(evaluate(run, tta="none").metrics.accuracy)


def test_the_card_says_accuracy_with_its_interval_data_and_limits(run, exported):
    format, out, _ = exported
    card = (out / "model_card.md").read_text()
    test = evaluate(run, split="test", tta="none").metrics
    interval = stats.binomtest(round(test.accuracy * test.images), test.images).proportion_ci(0.95, "wilson")
    assert (
        f"{test.accuracy:.2%} of {test.images} images (95% interval {interval.low:.2%} to {interval.high:.2%})" in card
    )
    for said in ("digits", "sha256", "Classes: 0 0, 1 1", "seed 0", "name: tiny", "{name: flip,", "Wilson"):
        assert said in card
    assert f"`{FILE_NAMES[format]}`" in card
    assert ("uint8" in card) == (format != "state_dict")


def test_the_card_of_an_average_says_the_average_s_accuracy(tmp_path):
    fields = FIELDS | {"ema": {"decay": 0.9, "warmup": False}, "train": {"epochs": 2.0}}
    trained = train(Experiment.model_validate(fields), runs_dir=tmp_path)
    export(trained.folder, format="state_dict", out=tmp_path / "out", weights="ema")
    card = (tmp_path / "out" / "model_card.md").read_text()
    metrics = trained.summary["metrics"]
    assert f"- Test: {metrics['test_accuracy_plain_ema']:.2%} of" in card
    assert metrics["test_accuracy_plain_ema"] != metrics["test_accuracy_plain"]


def test_limits_under_corruption_are_in_the_card_once_measured(run, tmp_path):
    result = evaluate_shift(run, max_images=20, tta="none")
    export(run, format="state_dict", out=tmp_path)
    card = (tmp_path / "model_card.md").read_text()
    assert f"{result.mean_corrupted_accuracy:.1%} in the mean over corruptions" in card


def test_the_data_set_need_not_be_there_and_what_was_asked_is_said(tmp_path):
    trained = _train_on_own(tmp_path)
    here = export(trained, format="torch", out=tmp_path / "here")
    (tmp_path / "own.npz").unlink()
    away = export(trained, format="torch", out=tmp_path / "away")
    assert (here.missing, away.images, away.largest_difference < 1e-4) == ("", 64, True)
    assert "own.npz: no such file" in away.missing
    cards = [(tmp_path / where / "model_card.md").read_text() for where in ("here", "away")]
    assert [card.count("on 64 images of noise") for card in cards] == [0, 1]
    assert [card.count("- Validation: ") for card in cards] == [1, 0]
    assert all("- train: 180 images" in card for card in cards)


def test_a_data_set_that_has_changed_is_refused(tmp_path):
    trained = _train_on_own(tmp_path)
    _write_own(tmp_path, images=191)
    with pytest.raises(UsageError, match="has changed since"):
        export(trained, format="torch", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_network_that_answers_differently_is_not_left_behind(run, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "load_weights", lambda path, model: None)  # as if nothing could be read back
    with pytest.raises(RunError, match="answers differently"):
        export(run, format="state_dict", out=tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_network_that_cannot_be_traced_names_the_format_that_works(run, tmp_path, monkeypatch):
    def refuse(self: nn.Module, images: torch.Tensor) -> torch.Tensor:
        return self.network(images.float()) if images.sum().item() > 3 else self.network(-images.float())

    monkeypatch.setattr(exporting.BytesClassifier, "forward", refuse)
    with pytest.raises(UsageError, match="--format state_dict always can"):
        export(run, format="torch", out=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_missing_packages_are_named_before_anything_is_loaded(run, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'windtunnel\[onnx\]'"):
        export(run, format="onnx", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_cannot_be_the_folder(run, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        export(run, format="torch", out=tmp_path / "file")
