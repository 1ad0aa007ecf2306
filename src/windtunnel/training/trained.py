"""Opening what a run has trained."""

import dataclasses
from pathlib import Path
from typing import Literal

import torch

from windtunnel.config.evaluate import EvaluateConfig
from windtunnel.config.experiment import Experiment
from windtunnel.config.files import parse_yaml
from windtunnel.config.problems import validate_tree
from windtunnel.config.run import RuntimeConfig
from windtunnel.core.device import DTYPES, resolve_device
from windtunnel.errors import CheckpointError, UsageError
from windtunnel.models.winograd.use import why_not
from windtunnel.training.assemble import Parts, assemble
from windtunnel.training.checkpoint import load_weights
from windtunnel.training.folder import RunFolder
from windtunnel.training.graph import check_can_compile
from windtunnel.training.network import Classifier, build_model, build_views, without_origin
from windtunnel.training.precision import Precision
from windtunnel.training.same_data import check_same_data, read_noted

Weights = Literal["last", "best", "ema"]
"""Weights that runs keep."""
WeightsChoice = Literal["result", "last", "best", "ema"]
"""Which of them to use; ``result`` for those that the run's own test figures are of."""


def choose_weights(folder: RunFolder, experiment: Experiment, choice: WeightsChoice) -> Weights:
    """Return the weights that ``choice`` means; the result of a run that stops early is its best, else the last."""
    if choice != "result":
        return choice
    stops_early = experiment.train.early_stopping is not None
    return "best" if stops_early and (folder.checkpoints / "best.safetensors").exists() else "last"


def load_trained(folder: RunFolder, experiment: Experiment, weights: Weights) -> Parts:
    """Return the parts of ``experiment`` with the weights that ``folder`` kept.

    Raises:
        CheckpointError: the weights are missing, damaged or from another model.
        DataError: the data set has changed since.
    """
    path = _find_weights(folder, experiment, weights)
    experiment = _experiment_for_use(experiment)
    parts = assemble(without_origin(experiment))
    check_same_data(folder.path, parts.data)
    load_weights(path, parts.model)
    return dataclasses.replace(parts, experiment=experiment)


def load_classifier(folder: RunFolder, experiment: Experiment, weights: Weights) -> Classifier:
    """Return the network of ``experiment`` with the weights that ``folder`` kept; the data set need not be there.

    Raises:
        CheckpointError: the weights, or the note of what they were trained on, are missing or damaged.
    """
    path = _find_weights(folder, experiment, weights)
    noted, experiment = read_noted(folder.path), _experiment_for_use(experiment)
    device = torch.device(experiment.runtime.device)
    check_can_compile(experiment, device)
    precision = Precision(device, DTYPES[experiment.runtime.precision], experiment.runtime.low_precision_weights)
    model = build_model(without_origin(experiment), noted.spec, precision)
    load_weights(path, model)
    return Classifier(
        experiment=experiment,
        device=device,
        precision=precision,
        model=model,
        views=build_views(experiment, noted.spec),
        spec=noted.spec,
        mean=noted.mean,
        std=noted.std,
    )


def _find_weights(folder: RunFolder, experiment: Experiment, weights: Weights) -> Path:
    path = folder.checkpoints / f"{weights}.safetensors"
    if not path.exists():
        cause = (
            "it was trained without `ema`" if weights == "ema" and experiment.ema is None else "none was reached yet"
        )
        raise CheckpointError(f"{folder.path} has no checkpoint {path.name}: {cause}")
    return path


def _experiment_for_use(experiment: Experiment) -> Experiment:
    runtime = runtime_for_use(experiment.runtime, _find_device(experiment.runtime.device))
    return experiment.model_copy(update={"runtime": runtime})


def runtime_for_use(runtime: RuntimeConfig, device: torch.device) -> RuntimeConfig:
    """Return ``runtime`` without what only training needs, or only the machine that trained has."""
    changed: dict[str, object] = {"cuda_graph": False, "device": str(device)}
    if runtime.convolution == "winograd" and why_not(device):
        changed["convolution"] = "direct"
    return runtime.model_copy(update=changed)


def _find_device(name: str) -> torch.device:
    """Return the device ``name``, or the one there is: a run trained on a second GPU is used where there is none."""
    try:
        return resolve_device(name)
    except UsageError:
        return resolve_device("auto")


def with_tta(experiment: Experiment, tta: str | None) -> Experiment:
    """Return ``experiment`` evaluated with the test-time augmentation ``tta``; None keeps its own.

    Args:
        experiment: the run's experiment.
        tta: a name such as ``flip``, or a YAML mapping such as ``{name: flip, only_least_confident: 0.2}``.
    """
    if tta is None:
        return experiment
    tree = experiment.evaluate.model_dump(mode="json") | {"tta": parse_yaml(tta, "tta")}
    return experiment.model_copy(update={"evaluate": validate_tree(EvaluateConfig, tree, "evaluate")})
