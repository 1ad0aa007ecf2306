"""What is left of a run when it has ended: ``summary.json``."""

import math
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

from windtunnel.core.clock import Stopwatch
from windtunnel.evaluation.metrics import compute_metrics
from windtunnel.evaluation.predict import predict_logits
from windtunnel.evaluation.tta import PlainView, Views
from windtunnel.track.files import read_rows
from windtunnel.training.assemble import Parts
from windtunnel.training.checkpoint import load_weights
from windtunnel.training.folder import RunFolder
from windtunnel.training.loaders import build_loader
from windtunnel.training.state import TrainState
from windtunnel.training.trained import Weights, choose_weights
from windtunnel.training.weights import judged_weights

_KEPT_INFO = ("device", "precision", "parameters", "train_images", "total_steps")


def summarise(parts: Parts, state: TrainState, folder: RunFolder, *, status: str, reason: str) -> dict[str, Any]:
    """Return the summary; a finished run reads its test split here, once."""
    metrics = _last_epoch(folder)
    weights: Weights = "last"
    if status == "finished" and parts.experiment.evaluate.test and parts.data.test is not None:
        weights = choose_weights(folder, parts.experiment, "result")
        if weights == "best":
            load_weights(folder.checkpoints / "best.safetensors", parts.model)
        with Stopwatch(parts.device, state.seconds).measure("evaluate"):
            metrics |= _test_all(parts, weights)
    return {
        "status": status,
        "reason": reason,
        "name": parts.experiment.name,
        "project": parts.experiment.project,
        "seed": parts.experiment.seed,
        "metrics": metrics,
        "best_validation": state.best_metric,
        "evaluated_weights": weights,
        "tta": parts.experiment.evaluate.tta.name,
        "steps": state.step,
        "epochs": state.step / parts.steps_per_epoch,
        "seconds": {phase: round(seconds, 3) for phase, seconds in state.seconds.items()},
        **{key: value for key, value in asdict(parts.info("", 0)).items() if key in _KEPT_INFO},
    }


def _last_epoch(folder: RunFolder) -> dict[str, Any]:
    rows = read_rows(folder.path / "metrics.csv")
    names = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_loss_ema", "val_accuracy_ema")
    values = {name: float(rows[-1][name]) for name in names if rows[-1][name]} if rows else {}
    return {name: value for name, value in values.items() if math.isfinite(value)}


def _test_all(parts: Parts, weights: Weights) -> dict[str, Any]:
    """Return the test figures of the result's weights and, ending in ``_ema``, of the moving average."""
    with judged_weights(parts) if weights == "last" else nullcontext():
        measured = _test(parts)
    if parts.ema is None:
        return measured
    with parts.ema.swapped_in():
        return measured | {f"{name}_ema": value for name, value in _test(parts).items()}


def _test(parts: Parts) -> dict[str, Any]:
    measured = _test_with(parts, parts.views)
    if parts.experiment.evaluate.tta.name != "none":
        measured["test_accuracy_plain"] = _test_with(parts, PlainView())["test_accuracy"]
    return measured


def _test_with(parts: Parts, views: Views) -> dict[str, Any]:
    loader = build_loader(parts.experiment, parts.data, "test", parts.precision, training=False)
    logits = predict_logits(parts.model, loader, views, autocast=parts.precision.autocast())
    assert parts.data.test is not None
    metrics = compute_metrics(logits.cpu(), parts.data.test.labels, parts.data.spec.class_names)
    kept = {"loss": metrics.loss, "accuracy": metrics.accuracy, "top5_accuracy": metrics.top5_accuracy}
    kept["calibration_error"] = metrics.calibration_error
    return {f"test_{name}": value for name, value in kept.items() if value is not None}
