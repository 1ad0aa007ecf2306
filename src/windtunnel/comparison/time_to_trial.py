"""One trial of time to accuracy: ``python -m windtunnel.comparison.time_to_trial ORDER.json``.

Trains as a run does but keeps no run folder, looks at the accuracy every so often off the clock, and stops where the
target is reached.
"""

import json
import math
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from windtunnel.comparison.flops import count_training_flops
from windtunnel.comparison.launch import stop_with_parent, telling_of_the_disk
from windtunnel.comparison.trial import describe_machine, read_conditions, warm_up
from windtunnel.config.experiment import Experiment
from windtunnel.config.files import read_yaml
from windtunnel.config.problems import validate_tree
from windtunnel.core.clock import Stopwatch
from windtunnel.core.device import resolve_device, synchronize
from windtunnel.core.files import write_json
from windtunnel.core.reports import EpochReport
from windtunnel.core.rng import derive_seed, seeded
from windtunnel.core.secrets import hide_in_tracebacks
from windtunnel.errors import UsageError
from windtunnel.evaluation.metrics import compute_metrics
from windtunnel.evaluation.predict import predict_logits
from windtunnel.training.assemble import Parts, assemble, initialise_from_data
from windtunnel.training.environment import process_settings
from windtunnel.training.loaders import ImageLoader, build_loader
from windtunnel.training.loop import train_epochs
from windtunnel.training.state import TrainState
from windtunnel.training.weights import judged_weights

Part = Literal["validation", "test"]


@dataclass(frozen=True)
class Goal:
    """What a trial trains for, and when it looks.

    Args:
        target: accuracy, 0..1, with the experiment's test-time augmentation.
        on: the images it is measured on.
        every: epochs between two looks, fractions allowed; there is always one after the last step.
        after: epochs before the first look.
    """

    target: float
    on: Part
    every: float = 1.0
    after: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what can never be reached or looked at.

        Raises:
            UsageError: says which.
        """
        if not 0 < self.target <= 1:
            raise UsageError(f"the target {self.target:g} is no accuracy: use one in 0..1")
        if self.every <= 0 or self.after < 0:
            raise UsageError(f"looks every {self.every:g} epochs after {self.after:g}: use more than 0, and at least 0")

    def is_due(self, step: int, steps_per_epoch: int) -> bool:
        """Say whether a look is due after ``step`` updates: the first ones at or past each multiple of ``every``."""
        start = math.floor(self.after * steps_per_epoch + 1e-9)
        before, now = ((done - start) / (self.every * steps_per_epoch) for done in (step - 1, step))
        return step > start and math.floor(now + 1e-9) > math.floor(before + 1e-9)


@dataclass(frozen=True)
class Look:
    """What a look found.

    Args:
        seconds: of prepare and train until then.
        epochs: trained until then.
        accuracy: then, 0..1.
        flops: of training until then.
    """

    seconds: float
    epochs: float
    accuracy: float
    flops: float


def train_to(experiment: Experiment, goal: Goal) -> dict[str, Any]:
    """Train until the goal is reached or training ends.

    Returns:
        The last look's figures; ``reached``; ``best``, the best accuracy of a look; ``looks``; the clocks.

    Raises:
        UsageError: the data have no such part.
    """
    with process_settings(experiment.runtime):
        parts = assemble(experiment)
        if getattr(parts.data, goal.on) is None:
            raise UsageError(f"{parts.data.spec.name} has no {goal.on} images; choose the other part with --on")
        clocks: dict[str, float] = {}
        with seeded(derive_seed(experiment.seed, "train", *parts.team.stream)):
            with Stopwatch(parts.device, clocks).measure("prepare"):
                initialise_from_data(parts)
            looks = _train(parts, goal, clocks)
    return {
        **asdict(looks[-1]),
        "reached": looks[-1].accuracy >= goal.target,
        "best": max(look.accuracy for look in looks),
        "looks": [asdict(look) for look in looks],
        "clocks": clocks,
    }


def _train(parts: Parts, goal: Goal, clocks: dict[str, float]) -> list[Look]:
    loader = build_loader(parts.experiment, parts.data, goal.on, parts.precision, training=False)
    state, looks = TrainState.fresh(parts.device), list[Look]()
    clocks["evaluate"], start = 0.0, time.perf_counter()

    def look() -> Look:
        synchronize(parts.device)
        spent = time.perf_counter() - start
        clocks["train"] = spent - clocks["evaluate"] - state.seconds.get("validate", 0.0)
        with Stopwatch(parts.device, clocks).measure("evaluate"), judged_weights(parts):
            accuracy, flops = _measure(parts, loader, goal.on), count_training_flops(parts, state.step)
        return Look(clocks["prepare"] + clocks["train"], _epochs(parts, state), accuracy, flops)

    for event in train_epochs(parts, state):
        if isinstance(event, EpochReport):
            if not math.isfinite(event.train_loss):
                break
        elif goal.is_due(state.step, parts.steps_per_epoch):
            looks.append(look())
            if looks[-1].accuracy >= goal.target:
                return looks
    return looks if looks and looks[-1].epochs == _epochs(parts, state) else [*looks, look()]


def _epochs(parts: Parts, state: TrainState) -> float:
    return state.step / parts.steps_per_epoch


def _measure(parts: Parts, loader: ImageLoader, on: Part) -> float:
    held = getattr(parts.data, on)
    logits = predict_logits(parts.model, loader, parts.views, autocast=parts.precision.autocast())
    return compute_metrics(logits.cpu(), held.labels, parts.data.spec.class_names).accuracy


def main() -> None:
    """Do the trial that the file of the first argument orders."""
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    experiment = validate_tree(Experiment, read_yaml(Path(order["experiment"])), order["experiment"])
    if order["warm_up"]:
        warm_up(experiment)
    before = read_conditions(device := resolve_device(experiment.runtime.device))
    found = train_to(experiment, Goal(**order["goal"]))
    noted = {"machine": describe_machine(device), "before": before, "after": read_conditions(device)}
    write_json(Path(order["result"]), {**found, **noted})


if __name__ == "__main__":
    hide_in_tracebacks()
    stop_with_parent()
    with telling_of_the_disk():
        main()
