"""Which experiments can train as one stacked network, and what stands in the way of the others."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from windtunnel.config.experiment import Experiment

# What may differ between runs of one stack: numbers that enter the update, never shapes or code paths.
_FREE = re.compile(
    r"name|project|seed|schedule(\..*)?|train\.(checkpoint_every|lr_scaling)(\..*)?|train\.clip_norm"
    r"|optim\.(lr|weight_decay|momentum|eps|betas\.\d+)|optim\.groups\.\d+\.(lr_scale|weight_decay)"
    r"|loss\.label_smoothing"
)


@dataclass(frozen=True)
class Fusion:
    """Experiments that can train as one.

    Args:
        experiments: in the order of the stack.
        one_order: whether all see the same batches, so that one of them serves all.
    """

    experiments: tuple[Experiment, ...]
    one_order: bool


@dataclass(frozen=True)
class Refusal:
    """Why experiments cannot train as one; names the field."""

    reason: str


def fuse(experiments: Sequence[Experiment]) -> Fusion | Refusal:
    """Return how ``experiments`` train as one stacked network, or the first reason why they cannot."""
    if len(experiments) < 2:
        return Refusal("a stack takes at least 2 runs")
    for experiment in experiments:
        if obstacle := _find_obstacle(experiment):
            return Refusal(f"{experiment.name}: {obstacle}")
    first = _flatten(experiments[0].model_dump(mode="json"))
    for other in experiments[1:]:
        if difference := _find_difference(first, _flatten(other.model_dump(mode="json"))):
            return Refusal(f"{experiments[0].name} and {other.name} differ in {difference}")
    if len({experiment.train.clip_norm is None for experiment in experiments}) > 1:
        return Refusal("some clip gradients and some do not (train.clip_norm)")
    return Fusion(tuple(experiments), len({experiment.seed for experiment in experiments}) == 1)


# Field -> what of it a stack cannot do.
_OBSTACLES: dict[str, Callable[[Experiment], bool]] = {
    "optim": lambda experiment: experiment.optim.name not in ("sgd", "adam", "adamw"),
    "optim.groups.train_epochs": lambda experiment: any(
        group.train_epochs is not None for group in experiment.optim.groups
    ),
    "averaging": lambda experiment: experiment.averaging is not None,
    "ema": lambda experiment: experiment.ema is not None,
    "train.sam": lambda experiment: experiment.train.sam is not None,
    "train.accumulate": lambda experiment: experiment.train.accumulate > 1,
    "train.resize": lambda experiment: bool(experiment.train.resize),
    "train.early_stopping": lambda experiment: experiment.train.early_stopping is not None,
    "train.target": lambda experiment: experiment.train.target is not None,
    "train.max_minutes": lambda experiment: experiment.train.max_minutes is not None,
    "schedule.stop_below_lr": lambda experiment: getattr(experiment.schedule, "stop_below_lr", None) is not None,
    "loss.class_weights": lambda experiment: getattr(experiment.loss, "class_weights", None) is not None,
    "runtime.precision": lambda experiment: experiment.runtime.precision == "float16",
    "runtime.low_precision_weights": lambda experiment: experiment.runtime.low_precision_weights,
    "runtime.compile": lambda experiment: experiment.runtime.compile != "off",
    "runtime.convolution": lambda experiment: experiment.runtime.convolution != "direct",
    "runtime.cuda_graph": lambda experiment: experiment.runtime.cuda_graph,
}


def _find_obstacle(experiment: Experiment) -> str:
    tree = _flatten(experiment.model_dump(mode="json"))
    for field, stands in _OBSTACLES.items():
        if stands(experiment):
            value = tree.get(field, tree.get(f"{field}.name", ""))
            return f"a stack cannot do {field}{f'={value}' if value != '' else ''}"
    return ""


def _find_difference(first: dict[str, Any], second: dict[str, Any]) -> str:
    for field in sorted({*first, *second}):
        one, other = first.get(field), second.get(field)
        if one != other and not _FREE.fullmatch(field):
            return f"{field} ({one} and {other})"
    return ""


def _flatten(tree: Any, path: str = "") -> dict[str, Any]:
    """Return the leaves of a tree by dotted path.

    >>> _flatten({"a": {"b": [1, 2]}, "c": None})
    {'a.b.0': 1, 'a.b.1': 2, 'c': None}
    """
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else None
    if items is None:
        return {path: tree}
    found: dict[str, Any] = {}
    for key, value in items:
        found |= _flatten(value, f"{path}.{key}" if path else str(key))
    return found
