"""Looking at a trained run: its metrics on a part of its data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from windtunnel.config.experiment import Experiment
from windtunnel.core.types import ImageBytes
from windtunnel.errors import UsageError
from windtunnel.evaluation.metrics import Metrics, compute_metrics
from windtunnel.evaluation.predict import predict_logits
from windtunnel.training.environment import process_settings
from windtunnel.training.folder import RunFolder, open_run
from windtunnel.training.loaders import build_loader
from windtunnel.training.trained import Weights, load_trained, with_tta

Split = Literal["validation", "test"]


@dataclass(frozen=True)
class EvalResult:
    """Metrics of a run on one part of its data.

    Args:
        folder: the run folder.
        split: the part.
        tta: name of the test-time augmentation.
        weights: which of the run's weights were used.
        metrics: the figures.
    """

    folder: Path
    split: Split
    tta: str
    weights: Weights
    metrics: Metrics


def evaluate(
    run: Path | str,
    *,
    split: Split = "validation",
    tta: str | None = None,
    weights: Weights = "last",
    runs_dir: Path | None = None,
) -> EvalResult:
    """Return the metrics of ``run`` on ``split``.

    Args:
        run: run folder, its name, or ``last``.
        split: part of the run's own data; choose by ``validation``, read ``test`` at the end.
        tta: name of a test-time augmentation; None takes the run's own.
        weights: the last ones, or the best by validation.
        runs_dir: where to look a name up.

    Raises:
        UsageError: no such run or part.
        CheckpointError: the weights are missing or damaged.
    """
    folder = open_run(run, runs_dir)
    experiment = with_tta(folder.read_experiment(), tta)
    with process_settings(experiment.runtime):
        return _evaluate(folder, experiment, split, weights)


def _evaluate(folder: RunFolder, experiment: Experiment, split: Split, weights: Weights) -> EvalResult:
    parts = load_trained(folder, experiment, weights)
    part: ImageBytes | None = getattr(parts.data, split)
    if part is None:
        raise UsageError(f"{folder.path.name} has no {split} part; its split is {parts.experiment.data.split}")
    loader = build_loader(parts.experiment, parts.data, split, parts.precision, training=False)
    logits = predict_logits(parts.model, loader, parts.views, autocast=parts.precision.autocast())
    metrics = compute_metrics(logits.cpu(), part.labels, parts.data.spec.class_names)
    return EvalResult(folder.path, split, parts.experiment.evaluate.tta.name, weights, metrics)
