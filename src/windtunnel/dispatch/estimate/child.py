"""The part that imports torch, in a process of its own.

``python -m windtunnel.dispatch.estimate.child trace`` reads a JSON list of experiments from standard input and answers
each with a line, in order. ``... child context`` trains a tiny network and answers with the memory that a run takes
besides its own tensors and images.
"""

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from windtunnel.config.experiment import Experiment
from windtunnel.config.problems import validate_tree
from windtunnel.core.secrets import hide_secrets
from windtunnel.errors import UsageError

_SIDE, _IMAGES, _CLASSES = 32, 32, 2


def answer_traces(experiments: list[Any]) -> None:
    """Write a line of JSON for each experiment: what was traced, or why it cannot be."""
    from windtunnel.dispatch.estimate.trace import trace

    for tree in experiments:
        try:
            answer: dict[str, Any] = {"traced": asdict(trace(validate_tree(Experiment, tree, "experiment")))}
        except UsageError as error:
            answer = {"error": hide_secrets(str(error))}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def answer_context(wanted: dict[str, Any]) -> None:
    """Write the bytes a run holds on its device besides its tensors and images.

    Args:
        wanted: ``device``, ``threads``, ``augment_backend``, ``precision``, and ``modules`` that the run would import.
    """
    from importlib import import_module

    from windtunnel.dispatch.estimate.memory import held_besides_tensors, read_used
    from windtunnel.training.run import train

    for module in wanted["modules"]:
        import_module(module)
    used_before = read_used(wanted["device"])
    with tempfile.TemporaryDirectory() as folder:
        train(_tiny_experiment(Path(folder), wanted), runs_dir=Path(folder) / "runs")
    sys.stdout.write(json.dumps({"bytes": held_besides_tensors(wanted["device"], used_before)}) + "\n")


def _tiny_experiment(folder: Path, wanted: dict[str, Any]) -> Experiment:
    pixels = np.arange(_IMAGES * _SIDE * _SIDE * 3, dtype=np.uint64).astype(np.uint8)
    images, labels = pixels.reshape(_IMAGES, _SIDE, _SIDE, 3), np.arange(_IMAGES) % _CLASSES
    np.savez(folder / "tiny.npz", train_images=images, train_labels=labels, test_images=images, test_labels=labels)
    runtime = {key: wanted[key] for key in ("device", "threads", "augment_backend", "precision")}
    tree = {
        "name": "context",
        "data": {"source": {"name": "npz", "path": str(folder / "tiny.npz")}, "batch_size": 8},
        "augment": [{"name": "random_crop", "padding": 2}, {"name": "horizontal_flip"}],
        "model": {"name": "cnn", "widths": [8, 8], "hidden": 8},
        "train": {"epochs": 2.0, "validate_every": 0.0},
        "runtime": runtime,
    }
    return validate_tree(Experiment, tree, "context")


def main() -> None:
    """Answer what the only argument names, about what standard input holds."""
    wanted = json.load(sys.stdin)
    if sys.argv[1] == "trace":
        answer_traces(wanted)
    else:
        answer_context(wanted)


if __name__ == "__main__":
    main()
