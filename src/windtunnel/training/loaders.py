"""From an experiment's data to the loaders that feed training and evaluation."""

from typing import Literal

from windtunnel.augment.engine import build_transform
from windtunnel.config.experiment import Experiment
from windtunnel.core.rng import derive_seed
from windtunnel.core.types import ImageBytes
from windtunnel.data.open import OpenedData
from windtunnel.data.resident import ResidentLoader
from windtunnel.training.precision import Precision


def build_loader(
    experiment: Experiment,
    data: OpenedData,
    part: Literal["train", "validation", "test"],
    precision: Precision,
    *,
    training: bool,
    first: int | None = None,
) -> ResidentLoader:
    """Return a loader over ``part`` of ``data``: shuffled and augmented for training, in order and plain otherwise.

    ``first`` takes only that many images from the front.
    """
    held: ImageBytes = getattr(data, part)
    resident = ImageBytes(*(tensor[:first].to(precision.device) for tensor in held))
    transform = build_transform(
        experiment.augment if training else (),
        resident.images,
        mean=data.mean,
        std=data.std,
        num_classes=len(data.spec.class_names),
        seed=derive_seed(experiment.seed, "augment"),
        dtype=precision.image_dtype,
        channels_last=experiment.runtime.channels_last,
        backend=experiment.runtime.augment_backend,
    )
    return ResidentLoader(
        resident,
        transform,
        ids=data.ids[part][:first],
        batch_size=experiment.data.batch_size if training else experiment.evaluate.batch_size,
        seed=experiment.seed,
        shuffle=training,
        drop_last=training and experiment.data.drop_last,
    )
