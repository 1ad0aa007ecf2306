"""Looking at a trained run: its metrics on a part of its data."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from windtunnel.core.clock import Stopwatch
from windtunnel.data.part import Part
from windtunnel.errors import UsageError
from windtunnel.evaluation.calibration import (
    Calibration,
    bin_by_confidence,
    fit_temperature,
    measure_calibration,
    scale_by_halves,
)
from windtunnel.evaluation.confusion import count_confusions, find_confused_pairs
from windtunnel.evaluation.metrics import compute_metrics
from windtunnel.evaluation.mistakes import find_confident_mistakes
from windtunnel.evaluation.predict import predict_logits
from windtunnel.evaluation.tta import PlainView, Views
from windtunnel.training.assemble import Parts
from windtunnel.training.environment import process_settings
from windtunnel.training.evaluated import EvalResult, Split, TtaEffect
from windtunnel.training.evaluation_files import make_folder, write_evaluation
from windtunnel.training.folder import open_run
from windtunnel.training.loaders import ImageLoader, build_loader
from windtunnel.training.trained import Weights, WeightsChoice, choose_weights, load_trained, with_tta

_PAIRS_NAMED = 10
_FEWEST_TO_CALIBRATE = 2
_MISTAKES_SHOWN = 24


@dataclass(frozen=True)
class _Measured:
    """Logits of one part, on the CPU, and what the views cost."""

    logits: Float[Tensor, "n k"]
    labels: Int64[Tensor, " n"]
    effect: TtaEffect | None


def evaluate(
    run: Path | str,
    *,
    split: Split = "validation",
    tta: str | None = None,
    weights: WeightsChoice = "result",
    out: Path | None = None,
    runs_dir: Path | None = None,
) -> EvalResult:
    """Return the metrics of ``run`` on ``split``.

    Args:
        run: run folder, its name, or ``last``.
        split: part of the run's own data; choose by ``validation``, read ``test`` at the end.
        tta: name or YAML mapping of a test-time augmentation; None takes the run's own.
        weights: the last ones, the best by validation, or their moving average; ``result`` those that the run was
            tested with.
        out: folder for pictures and tables (confusion.png, reliability.png, errors.png, metrics.json, per_class.csv,
            confusion.csv), made where it is missing; None writes nothing.
        runs_dir: where to look a name up.

    Raises:
        UsageError: no such run or part, views that do not fit the images, or ``out`` cannot be written.
        CheckpointError: the weights are missing or damaged.
    """
    folder = open_run(run, runs_dir)
    experiment = with_tta(folder.read_experiment(), tta)
    with process_settings(experiment.runtime):
        kept = choose_weights(folder, experiment, weights)
        parts = load_trained(folder, experiment, kept)
        part = _find_part(parts, split, folder.path.name)
        if out is not None:
            make_folder(out)
        measured = _measure(parts, split)
        result = _summarise(parts, split, measured, folder=folder.path, weights=kept, out=out)
    if out is not None:
        write_evaluation(
            out, result, find_confident_mistakes(measured.logits, measured.labels, count=_MISTAKES_SHOWN), part
        )
    return result


def _find_part(parts: Parts, split: Split, run: str) -> Part:
    part: Part | None = getattr(parts.data, split)
    if part is None:
        raise UsageError(f"{run} has no {split} part; its split is {parts.experiment.data.split}")
    return part


def _measure(parts: Parts, split: Split) -> _Measured:
    """Predict ``split`` with the run's views and, where these are more than the image itself, without."""
    loader = build_loader(parts.experiment, parts.data, split, parts.precision, training=False)
    labels: Int64[Tensor, " n"] = getattr(parts.data, split).labels
    _warm_up(parts, loader)
    logits, seconds = _predict(parts, loader, parts.views)
    if parts.experiment.evaluate.tta.name == "none":
        return _Measured(logits, labels, None)
    plain, plain_seconds = _predict(parts, loader, PlainView())
    accuracy = (plain.argmax(1) == labels).double().mean().item()
    effect = TtaEffect(parts.views.passes_per_image, round(seconds, 4), round(plain_seconds, 4), accuracy)
    return _Measured(logits, labels, effect)


def _predict(parts: Parts, loader: ImageLoader, views: Views) -> tuple[Float[Tensor, "n k"], float]:
    """Return logits on the CPU and the seconds they took."""
    seconds: dict[str, float] = {}
    with Stopwatch(parts.device, seconds).measure("predict"):
        logits = predict_logits(parts.model, loader, views, autocast=parts.precision.autocast())
    return logits.cpu(), seconds["predict"]


@torch.no_grad()
def _warm_up(parts: Parts, loader: ImageLoader) -> None:
    """Predict one batch, so that neither timed pass pays for compiling and the first allocations."""
    parts.model.eval()
    batch = next(iter(loader.epoch(0)))
    with parts.precision.autocast():
        parts.views(parts.model, batch.images)


def _summarise(
    parts: Parts, split: Split, measured: _Measured, *, folder: Path, weights: Weights, out: Path | None
) -> EvalResult:
    names = parts.data.spec.class_names
    confusion = count_confusions(measured.logits.argmax(1), measured.labels, len(names))
    return EvalResult(
        folder=folder,
        split=split,
        tta=parts.experiment.evaluate.tta.name,
        weights=weights,
        metrics=compute_metrics(measured.logits, measured.labels, names),
        tta_effect=measured.effect,
        bins=bin_by_confidence(measured.logits, measured.labels),
        calibration=_calibrate(parts, split, measured),
        confused_pairs=find_confused_pairs(confusion, names, count=_PAIRS_NAMED),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        out=out,
    )


def _calibrate(parts: Parts, split: Split, measured: _Measured) -> Calibration | None:
    """Fit a temperature on validation images and apply it to others.

    Where validation is what is measured, each half of it is scaled by the temperature of the other half.
    """
    validation = parts.data.validation
    if validation is None or len(validation) < _FEWEST_TO_CALIBRATE or not measured.logits.isfinite().all():
        return None
    if split == "validation":
        temperature = fit_temperature(measured.logits, measured.labels)
        scaled, fitted_on = scale_by_halves(measured.logits, measured.labels), "the other half of validation"
    else:
        loader = build_loader(parts.experiment, parts.data, "validation", parts.precision, training=False)
        temperature = fit_temperature(_predict(parts, loader, parts.views)[0], validation.labels)
        scaled, fitted_on = measured.logits.double() / temperature, "validation"
    return measure_calibration(scaled, measured.labels, temperature=temperature, fitted_on=fitted_on)
