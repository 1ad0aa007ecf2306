"""From an experiment's data to the loaders that feed training and evaluation."""

from typing import Literal

import torch
from jaxtyping import UInt8
from torch import Tensor

from windtunnel.augment.engine import ResidentTransform, build_transform
from windtunnel.config.experiment import Experiment
from windtunnel.core.rng import derive_seed
from windtunnel.data.open import OpenedData
from windtunnel.data.part import Part
from windtunnel.data.placement import Placement, choose_placement
from windtunnel.data.planning import WHOLE, Batching, Share
from windtunnel.data.resident import ResidentLoader
from windtunnel.data.streaming import StreamingLoader
from windtunnel.training.precision import Precision

ImageLoader = ResidentLoader | StreamingLoader


def build_loader(
    experiment: Experiment,
    data: OpenedData,
    part: Literal["train", "validation", "test"],
    precision: Precision,
    *,
    training: bool,
    first: int | None = None,
    placement: Placement | None = None,
    share: Share = WHOLE,
) -> ImageLoader:
    """Return a loader over ``part`` of ``data``: shuffled and augmented for training, in order and plain otherwise.

    Args:
        experiment: how batches are made.
        data: the data.
        part: which part of it.
        precision: device and format of the batches.
        training: whether they are trained on.
        first: take only that many images from the front.
        placement: where the images lie; None decides by the memory free now.
        share: this process's part of every batch.
    """
    held: Part = getattr(data, part)
    held = held if first is None else held.head(first)
    settings = experiment.data if training else experiment.evaluate
    batching = Batching(
        data.ids[part][:first],
        settings.batch_size,
        experiment.seed,
        shuffle=training,
        drop_last=training and experiment.data.drop_last,
        share=share,
    )
    placement = placement or choose_placement(experiment.data.placement, held.num_bytes, precision.device)
    if placement.mode == "resident":
        resident = held.load(precision.device)
        transform = _build_transform(experiment, data, precision, resident.images, training=training)
        return ResidentLoader(resident, transform, batching)
    nothing = torch.empty((0, *held.image_shape), dtype=torch.uint8, device=precision.device)
    transform = _build_transform(experiment, data, precision, nothing, training=training)
    return StreamingLoader(held, transform, batching, device=precision.device, workers=experiment.data.workers)


def _build_transform(
    experiment: Experiment,
    data: OpenedData,
    precision: Precision,
    images: UInt8[Tensor, "n c h w"],
    *,
    training: bool,
) -> ResidentTransform:
    return build_transform(
        experiment.augment if training else (),
        images,
        mean=data.mean,
        std=data.std,
        num_classes=len(data.spec.class_names),
        seed=derive_seed(experiment.seed, "augment"),
        dtype=precision.image_dtype,
        channels_last=experiment.runtime.channels_last,
        backend=experiment.runtime.augment_backend,
    )
