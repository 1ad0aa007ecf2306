"""What a trained run loses on corrupted copies of its validation images, and what to expect of a new set."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from jaxtyping import Float, Int64
from torch import Tensor

from windtunnel.core.files import write_json
from windtunnel.data.part import Part
from windtunnel.data.progress import progress_bar
from windtunnel.errors import UsageError
from windtunnel.evaluation.shift.corruptions import SEVERITIES, corrupt, corruptions_for
from windtunnel.evaluation.shift.estimate import (
    ESTIMATORS,
    Choice,
    Estimator,
    Measured,
    Reference,
    choose_estimator,
    estimate_accuracy,
    fit_reference,
    read_signals,
)
from windtunnel.report.shift import save_shift
from windtunnel.training.assemble import Parts
from windtunnel.training.environment import process_settings
from windtunnel.training.predict import open_members, predict_images, read_unlabelled
from windtunnel.training.trained import Weights, WeightsChoice, load_trained


@dataclass(frozen=True)
class TargetEstimate:
    """The accuracy to expect on images without labels.

    Args:
        path: where they are.
        images: how many.
        accuracy: what the chosen estimator expects, a fraction.
        error: its mean absolute error on corruptions that did not choose it.
        by_estimator: what each estimator expects.
    """

    path: str
    images: int
    accuracy: float
    error: float
    by_estimator: dict[Estimator, float]


@dataclass(frozen=True)
class ShiftResult:
    """A run under corruption.

    Args:
        folder: the run folder.
        out: where figures and picture are.
        tta: name of the test-time augmentation.
        weights: which of the run's weights were used.
        seed: seed of the corruptions.
        images: validation images corrupted, the same ones each time.
        reference: the same images as they are.
        measured: every corruption in every severity.
        choice: which estimator to believe, and by how much it is off.
        target: the estimate for the new set, where there is one.
    """

    folder: Path
    out: Path
    tta: str
    weights: Weights
    seed: int
    images: int
    reference: Reference
    measured: tuple[Measured, ...]
    choice: Choice
    target: TargetEstimate | None

    @property
    def mean_corrupted_accuracy(self) -> float:
        """Mean over corruptions and severities, a fraction."""
        return sum(each.accuracy for each in self.measured) / len(self.measured)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values, as ``shift.json`` holds it."""
        choice = self.choice
        return {
            "run": self.folder.name,
            "split": "validation",
            "images": self.images,
            "tta": self.tta,
            "weights": self.weights,
            "seed": self.seed,
            "accuracy": self.reference.accuracy,
            "temperature": self.reference.temperature,
            "mean_corrupted_accuracy": self.mean_corrupted_accuracy,
            "estimator": choice.estimator,
            "estimator_error": choice.error,
            "estimator_errors": {
                name: {"choosing": choice.choosing_errors[name], "judging": choice.judging_errors[name]}
                for name in ESTIMATORS
            },
            "corruptions": [
                {
                    "corruption": each.corruption,
                    "severity": each.severity,
                    "half": each.half,
                    "accuracy": each.accuracy,
                    "estimated": estimate_accuracy(choice.estimator, self.reference, each.signals, choice.slopes),
                }
                for each in self.measured
            ],
            "target": asdict(self.target) if self.target else None,
        }


def evaluate_shift(
    run: Path | str,
    *,
    target: Path | None = None,
    max_images: int | None = None,
    seed: int = 0,
    tta: str | None = None,
    weights: WeightsChoice = "result",
    out: Path | None = None,
    runs_dir: Path | None = None,
) -> ShiftResult:
    """Measure ``run`` on corrupted copies of its validation images and write ``shift.json`` and ``shift.png``.

    Args:
        run: run folder, its name, or ``last``.
        target: images without labels whose accuracy to estimate; anything that can be predicted.
        max_images: take only that many validation images, from the front; None takes all.
        seed: seed of the corruptions.
        tta: name of a test-time augmentation; None takes the run's own.
        weights: which of the weights the run kept; ``result`` those that it was tested with.
        out: folder of figures and picture; None takes ``shift`` in the run's folder.
        runs_dir: where to look a name up.

    Raises:
        UsageError: no such run, no validation part, or a target that cannot be read.
        CheckpointError: the weights are missing or damaged.
    """
    members = open_members([run], tta, weights, runs_dir)
    unlabelled = read_unlabelled(target, members) if target is not None else None
    (member,) = members
    with process_settings(member.experiment.runtime):
        parts = load_trained(member.folder, member.experiment, member.weights)
        reference, measured = measure_corruptions(parts, part="validation", max_images=max_images, seed=seed)
        choice = choose_estimator(reference, measured)
        found = None
        if target is not None and unlabelled is not None:
            logits = predict_images(parts.classifier, unlabelled.images)
            found = _estimate_target(str(target), logits, reference, choice)
    result = ShiftResult(
        folder=member.folder.path,
        out=out or member.folder.path / "shift",
        tta=member.experiment.evaluate.tta.name,
        weights=member.weights,
        seed=seed,
        images=len(_part(parts, "validation", max_images)),
        reference=reference,
        measured=tuple(measured),
        choice=choice,
        target=found,
    )
    _save(result)
    return result


def measure_corruptions(
    parts: Parts, *, part: Literal["validation", "test"], max_images: int | None, seed: int
) -> tuple[Reference, list[Measured]]:
    """Return what is known of the part's clean images, and every corruption of them measured.

    Raises:
        UsageError: the run has no such part.
    """
    held = _part(parts, part, max_images)
    reference = fit_reference(predict_images(parts.classifier, held.images), held.labels)
    return reference, list(iterate_corruptions(parts, held, parts.data.ids[part][: len(held)], reference, seed))


def iterate_corruptions(
    parts: Parts, held: Part, ids: Int64[Tensor, " n"], reference: Reference, seed: int
) -> Iterator[Measured]:
    """Yield every corruption of the images in ``held`` in every severity, with a bar on a terminal."""
    corruptions = corruptions_for(parts.data.spec.channels)
    with progress_bar("corrupting and predicting", len(corruptions) * len(SEVERITIES)) as advance:
        for corruption in corruptions:
            for severity in SEVERITIES:
                logits = predict_images(
                    parts.classifier, corrupt(held.images, corruption, severity, ids=ids, seed=seed)
                )
                accuracy = (logits.argmax(1) == held.labels).double().mean().item()
                signals = read_signals(logits, reference)
                yield Measured(corruption.name, severity, corruption.half, accuracy, signals)
                advance(1)


def _part(parts: Parts, name: Literal["validation", "test"], max_images: int | None) -> Part:
    held: Part | None = getattr(parts.data, name)
    if held is None:
        raise UsageError(f"the run has no {name} part to corrupt; its split is {parts.experiment.data.split}")
    return held if max_images is None else held.head(max_images)


def _estimate_target(path: str, logits: Float[Tensor, "n k"], reference: Reference, choice: Choice) -> TargetEstimate:
    signals = read_signals(logits, reference)
    found = {name: estimate_accuracy(name, reference, signals, choice.slopes) for name in ESTIMATORS}
    return TargetEstimate(path, len(logits), found[choice.estimator], choice.error, found)


def _save(result: ShiftResult) -> None:
    result.out.mkdir(parents=True, exist_ok=True)
    write_json(result.out / "shift.json", result.to_json())
    save_shift(result.out)
