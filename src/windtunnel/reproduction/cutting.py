"""One run of a report at less than its full length."""

from dataclasses import dataclass
from typing import Any

from windtunnel.config.experiment import Experiment
from windtunnel.config.schedule import Cosine, MultiStep, Step
from windtunnel.reproduction.types import Cut, Limits

FEW_EPOCHS = 20.0
"""Below this a run's epochs are cut by quarters, not by whole ones."""


@dataclass(frozen=True)
class Sizes:
    """Images of a run at its full protocol.

    Args:
        train: trained on.
        validation: for choosing.
        test: for the end.
    """

    train: int
    validation: int
    test: int


def cut_experiment(experiment: Experiment, cut: Cut, limits: Limits, sizes: Sizes) -> Experiment:
    """Return ``experiment`` cut: fewer epochs with the schedule shortened alike, fewer images, a narrower network."""
    if cut.is_full:
        return experiment
    narrow = experiment
    if cut.width != 1:
        assert limits.narrow is not None
        narrow = limits.narrow(experiment, cut.width)
    epochs = cut_epochs(experiment.train.epochs, cut.epochs)
    share = epochs / experiment.train.epochs
    changed = {
        "train": experiment.train.model_copy(update={"epochs": epochs}),
        "schedule": experiment.schedule.model_copy(update=_shorten(experiment.schedule, share)),
        "data": experiment.data.model_copy(update=_cut_data(experiment, cut, limits, sizes)),
    }
    return narrow.model_copy(update=changed)


def cut_sizes(sizes: Sizes, cut: Cut, limits: Limits) -> Sizes:
    """Return the images of a cut run."""
    if cut.is_full:
        return sizes
    train = sizes.train if cut.images is None else min(cut.images, sizes.train)
    return Sizes(train, min(sizes.validation, limits.validation_images), sizes.test)


def cut_epochs(full: float, share: float) -> float:
    """Return a share of a run's epochs: a whole number, at least 1, unless they are few and so keep their proportions.

    >>> cut_epochs(100.0, 0.25), cut_epochs(50.0, 0.001), cut_epochs(8.0, 0.3)
    (25.0, 1.0, 2.4)
    """
    return max(float(round(full * share)), 1.0) if full >= FEW_EPOCHS else full * share


def _shorten(schedule: Any, share: float) -> dict[str, Any]:
    """Return the lengths in epochs that a schedule names, times ``share``."""
    lengths: dict[str, Any] = {"warmup_epochs": schedule.warmup_epochs * share}
    if isinstance(schedule, Cosine) and schedule.t_max is not None:
        lengths["t_max"] = schedule.t_max * share
    if isinstance(schedule, Step):
        lengths["step_epochs"] = schedule.step_epochs * share
    if isinstance(schedule, MultiStep):
        lengths["milestones"] = tuple(epoch * share for epoch in schedule.milestones)
    return lengths


def _cut_data(experiment: Experiment, cut: Cut, limits: Limits, sizes: Sizes) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    if cut.images is not None and cut.images < sizes.train:
        changed["train_limit"] = cut.images
    held_out = experiment.data.split.model_dump().get("validation", 0.0)
    if held_out and sizes.validation > limits.validation_images:
        fraction = held_out * limits.validation_images / sizes.validation
        changed["split"] = experiment.data.split.model_copy(update={"validation": fraction})
    return changed


def describe_cut(cut: Cut, limits: Limits, sizes: Sizes, epochs: float, left_out: int) -> tuple[str, ...]:
    """Return what was cut, a phrase each.

    Args:
        cut: how much is run.
        limits: of the report.
        sizes: of its data at full protocol.
        epochs: of its longest run.
        left_out: optional runs that are not made.

    >>> describe_cut(Cut(epochs=0.1, images=5000), Limits(), Sizes(45000, 5000, 10000), 100.0, 0)
    ('10 of 100 epochs', '5,000 of 45,000 training images', '1,000 of 5,000 validation images')
    """
    if cut.is_full:
        return ()
    said = []
    if cut.epochs < 1:
        said.append(f"{cut_epochs(epochs, cut.epochs):.3g} of {epochs:g} epochs")
    if cut.images is not None:
        said.append(f"{cut.images:,} of {sizes.train:,} training images")
    if sizes.validation > limits.validation_images:
        said.append(f"{limits.validation_images:,} of {sizes.validation:,} validation images")
    if cut.width != 1:
        said.append(f"networks {cut.width:g} times as wide")
    if left_out:
        said.append(f"{left_out} run{'s' if left_out > 1 else ''} left out")
    return tuple(said)
