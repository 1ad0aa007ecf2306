"""One trial of time to accuracy: ``python -m windtunnel.comparison.time_to_trial ORDER.json``.

Trains as a run does but keeps no run folder, looks at the accuracy after each epoch off the clock, and stops where the
target is reached.
"""

import json
import math
import sys
from pathlib import Path
from typing import Any, Literal

from windtunnel.comparison.launch import stop_with_parent
from windtunnel.comparison.trial import describe_machine, read_conditions, warm_up
from windtunnel.config.experiment import Experiment
from windtunnel.config.files import read_yaml
from windtunnel.config.problems import validate_tree
from windtunnel.core.clock import Stopwatch
from windtunnel.core.device import resolve_device
from windtunnel.core.files import write_json
from windtunnel.core.reports import EpochReport
from windtunnel.core.rng import derive_seed, seeded
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


def train_to(experiment: Experiment, target: float, on: Part) -> dict[str, Any]:
    """Train until ``target`` (0..1) is reached on the part ``on``, with the experiment's test-time augmentation.

    Returns:
        ``reached``; ``seconds`` of prepare and train, ``epochs`` and ``accuracy`` of the last look; ``looks``, each
        with those three; the clocks.

    Raises:
        UsageError: the data have no such part.
    """
    with process_settings(experiment.runtime):
        parts = assemble(experiment)
        if getattr(parts.data, on) is None:
            raise UsageError(f"{parts.data.spec.name} has no {on} images; choose the other part with --on")
        loader = build_loader(experiment, parts.data, on, parts.precision, training=False)
        state = TrainState.fresh(parts.device)
        with seeded(derive_seed(experiment.seed, "train", *parts.team.stream)):
            with Stopwatch(parts.device, state.seconds).measure("prepare"):
                initialise_from_data(parts)
            looks = _train(parts, state, loader, target, on)
    return {
        **looks[-1],
        "reached": looks[-1]["accuracy"] >= target,
        "best": max(look["accuracy"] for look in looks),
        "looks": looks,
        "clocks": state.seconds,
    }


def _train(parts: Parts, state: TrainState, loader: ImageLoader, target: float, on: Part) -> list[dict[str, float]]:
    looks: list[dict[str, float]] = []
    watch = Stopwatch(parts.device, state.seconds)
    for event in train_epochs(parts, state):
        if not isinstance(event, EpochReport):
            continue
        with watch.measure("evaluate"), judged_weights(parts):
            accuracy = _measure(parts, loader, on)
        seconds = state.seconds["prepare"] + state.seconds["train"]
        looks.append({"seconds": seconds, "epochs": state.step / parts.steps_per_epoch, "accuracy": accuracy})
        if accuracy >= target or not math.isfinite(event.train_loss):
            break
    return looks


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
    found = train_to(experiment, order["target"], order["on"])
    device = resolve_device(experiment.runtime.device)
    write_json(Path(order["result"]), {**found, "machine": describe_machine(device), "after": read_conditions(device)})


if __name__ == "__main__":
    stop_with_parent()
    main()
