"""A trained network on its test images, with views and without: figures, confusions, answers as a competition's CSV."""

from dataclasses import asdict
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from windtunnel.core.files import write_json
from windtunnel.data.submission import Submission, write_submission
from windtunnel.errors import UsageError
from windtunnel.evaluation.confusion import count_confusions, find_confused_pairs
from windtunnel.evaluation.predict import predict_logits
from windtunnel.evaluation.tta import PlainView, Views
from windtunnel.models.summary import summarise
from windtunnel.training.assemble import Parts
from windtunnel.training.environment import process_settings
from windtunnel.training.folder import RunFolder
from windtunnel.training.loaders import build_loader
from windtunnel.training.trained import load_trained

_PAIRS = 10


def measure_on_test(run: Path, out: Path) -> None:
    """Write ``test.json``, ``layers.json`` and ``predictions.csv`` of a finished run, its own views averaged.

    Args:
        run: its folder; its last weights are used.
        out: folder the files go into.

    Raises:
        UsageError: it has no test images.
        CheckpointError: its weights are missing or damaged.
    """
    folder = RunFolder(run)
    experiment = folder.read_experiment()
    with process_settings(experiment.runtime):
        parts = load_trained(folder, experiment, "last")
        if parts.data.test is None:
            raise UsageError(f"{run.name} has no test images; its split is {experiment.data.split}")
        plain, viewed = _predict(parts, PlainView()), _predict(parts, parts.views)
    labels, names = parts.data.test.labels, parts.data.spec.class_names
    confusion = count_confusions(viewed.argmax(1), labels, len(names))
    answer = {
        "classes": list(names),
        "images": len(labels),
        "views": experiment.evaluate.tta.name,
        "plain_accuracy": _accuracy(plain, labels),
        "accuracy": _accuracy(viewed, labels),
        "confusion": confusion.tolist(),
        "pairs": [asdict(pair) for pair in find_confused_pairs(confusion, names, count=_PAIRS)],
    }
    write_json(out / "test.json", answer)
    write_json(out / "layers.json", asdict(summarise(parts.model, in_shape=parts.data.test.image_shape)))
    everyone = tuple(range(len(labels)))
    submission = Submission(("ID", "Labels"), tuple(map(str, everyone)), everyone, ("index",))
    write_submission(out / "predictions.csv", submission, viewed.softmax(1), names)


def _predict(parts: Parts, views: Views) -> Float[Tensor, "n k"]:
    loader = build_loader(parts.experiment, parts.data, "test", parts.precision, training=False)
    return predict_logits(parts.model, loader, views, autocast=parts.precision.autocast()).float().cpu()


def _accuracy(logits: Float[Tensor, "n k"], labels: Tensor) -> float:
    return float((logits.argmax(1) == labels).to(torch.float64).mean())
