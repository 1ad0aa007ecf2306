"""A trained run's answers for new images."""

import csv
import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from windtunnel.augment.engine import build_transform
from windtunnel.config.data import ImageFolder
from windtunnel.config.experiment import Experiment
from windtunnel.core.files import write_text
from windtunnel.core.types import ImageBytes
from windtunnel.data.resident import ResidentLoader
from windtunnel.data.unlabelled import read_images
from windtunnel.evaluation.predict import predict_logits
from windtunnel.training.assemble import Parts
from windtunnel.training.environment import process_settings
from windtunnel.training.folder import RunFolder, open_run
from windtunnel.training.trained import Weights, load_trained, with_tta


def predict(
    run: Path | str,
    *,
    images: Path,
    out: Path,
    tta: str | None = None,
    weights: Weights = "last",
    runs_dir: Path | None = None,
) -> int:
    """Write ``out``, a CSV of file, class index, class name and probability, and return its number of rows.

    Args:
        run: run folder, its name, or ``last``.
        images: an image, a folder of images, or an ``.npz`` with ``images``; of the size the run was trained on, or
            resized as its training images were where the source has ``image_size``.
        out: the CSV; written whole or not at all.
        tta: name of a test-time augmentation; None takes the run's own.
        weights: the last ones, or the best by validation.
        runs_dir: where to look a name up.

    Raises:
        UsageError: no such run, no images, or images of another size.
        CheckpointError: the weights are missing or damaged.
    """
    folder = open_run(run, runs_dir)
    experiment = with_tta(folder.read_experiment(), tta)
    with process_settings(experiment.runtime):
        return _predict(folder, experiment, weights, images, out)


def _predict(folder: RunFolder, experiment: Experiment, weights: Weights, images: Path, out: Path) -> int:
    parts = load_trained(folder, experiment, weights)
    source = experiment.data.source
    resized_in_training = isinstance(source, ImageFolder) and source.image_size is not None
    found = read_images(images, like=parts.data.spec, resize=resized_in_training)
    probabilities = _predict_images(parts, found.images).softmax(1)
    write_text(out, _format_predictions(found.names, probabilities, parts.data.spec.class_names))
    return len(found.names)


def _predict_images(parts: Parts, images: UInt8[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
    size = len(images)
    resident = ImageBytes(images.to(parts.device), torch.zeros(size, dtype=torch.int64, device=parts.device))
    transform = build_transform(
        (),
        resident.images,
        mean=parts.data.mean,
        std=parts.data.std,
        num_classes=len(parts.data.spec.class_names),
        seed=0,
        dtype=parts.precision.image_dtype,
        channels_last=parts.experiment.runtime.channels_last,
    )
    loader = ResidentLoader(
        resident,
        transform,
        ids=torch.arange(size),
        batch_size=parts.experiment.evaluate.batch_size,
        seed=0,
        shuffle=False,
        drop_last=False,
    )
    autocast: AbstractContextManager[None] = parts.precision.autocast()
    return predict_logits(parts.model, loader, parts.views, autocast=autocast).cpu()


def _format_predictions(names: Sequence[str], probabilities: Float[Tensor, "n k"], classes: Sequence[str]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("file", "label", "class", "probability"))
    best = probabilities.max(1)
    for name, label, probability in zip(names, best.indices.tolist(), best.values.tolist(), strict=True):
        writer.writerow((name, label, classes[label], f"{probability:.6f}"))
    return buffer.getvalue()
