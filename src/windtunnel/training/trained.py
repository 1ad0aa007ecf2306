"""Opening what a run has trained."""

from typing import Literal

from windtunnel.config.evaluate import EvaluateConfig
from windtunnel.config.experiment import Experiment
from windtunnel.config.files import parse_yaml
from windtunnel.config.problems import validate_tree
from windtunnel.errors import CheckpointError
from windtunnel.training.assemble import Parts, assemble
from windtunnel.training.checkpoint import load_weights
from windtunnel.training.folder import RunFolder

Weights = Literal["last", "best", "ema"]


def load_trained(folder: RunFolder, experiment: Experiment, weights: Weights) -> Parts:
    """Return the parts of ``experiment`` with the weights that ``folder`` kept.

    Raises:
        CheckpointError: the weights are missing, damaged or from another model.
    """
    path = folder.checkpoints / f"{weights}.safetensors"
    if not path.exists():
        cause = (
            "it was trained without `ema`" if weights == "ema" and experiment.ema is None else "none was reached yet"
        )
        raise CheckpointError(f"{folder.path} has no checkpoint {path.name}: {cause}")
    parts = assemble(experiment)
    load_weights(path, parts.model)
    return parts


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
