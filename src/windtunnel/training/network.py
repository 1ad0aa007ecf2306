"""The network of an experiment, and what answering with it takes."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from windtunnel.config.base import Component
from windtunnel.config.experiment import Experiment
from windtunnel.core.rng import derive_seed, seeded
from windtunnel.data.spec import DatasetSpec
from windtunnel.errors import ModelError
from windtunnel.evaluation.tta import Views
from windtunnel.models.budget import check_budget
from windtunnel.models.external import check_logits
from windtunnel.models.winograd.use import use_winograd
from windtunnel.training.precision import Precision


@dataclass(frozen=True)
class Classifier:
    """A network that answers for images, on its device.

    Args:
        experiment: what was trained.
        device: where it is.
        precision: the numbers it takes.
        model: the network.
        views: its test-time augmentation.
        spec: classes, channels and size of the images trained on.
        mean: per-channel mean to normalise with, pixels scaled to 0..1.
        std: per-channel standard deviation, likewise.
    """

    experiment: Experiment
    device: torch.device
    precision: Precision
    model: nn.Module
    views: Views
    spec: DatasetSpec
    mean: tuple[float, ...]
    std: tuple[float, ...]


def without_origin(experiment: Experiment) -> Experiment:
    """Return ``experiment`` for a network whose weights are loaded from its run.

    The weights it started from are left out, since they may be gone by now, and its budget, which it kept to at first.
    """
    origins = {"pretrained": False, "weights": None}
    fields = type(experiment.model).model_fields
    model = experiment.model.model_copy(update={key: none for key, none in origins.items() if key in fields})
    return experiment.model_copy(update={"model": model, "budget": None})


def build_views(experiment: Experiment, spec: DatasetSpec) -> Views:
    """Build the views of test-time augmentation; some do not fit every image size."""
    views: Views = experiment.evaluate.tta.build()
    views.check(*spec.image_size)
    return views


def build_model(experiment: Experiment, spec: DatasetSpec, precision: Precision) -> nn.Module:
    """Return the network with its seeded start weights, on the device and in the run's format."""
    channels, (height, width) = spec.channels, spec.image_size
    with seeded(derive_seed(experiment.seed, "init")):
        model = _build_network(
            experiment.model, num_classes=len(spec.class_names), in_channels=channels, image_size=(height, width)
        )
    if experiment.budget is not None:
        check_budget(
            experiment.budget, model, input_shape=(channels, height, width), batch_size=experiment.data.batch_size
        )
    model = precision.convert(model)
    if experiment.runtime.channels_last:
        lay_out_channels_last(model)
    if experiment.runtime.convolution == "winograd":
        use_winograd(model)
    if experiment.runtime.compile != "off":
        model.compile(mode=experiment.runtime.compile)
    return model


def _build_network(config: Component, **context: Any) -> nn.Module:
    """Build the network; what a user's own one cannot be built with is said as a fault of the config."""
    try:
        model: nn.Module = config.build(**context)
        if not config.target.startswith("windtunnel."):
            classes = context["num_classes"]
            check_logits(model, in_shape=(context["in_channels"], *context["image_size"]), num_classes=classes)
    except ModelError as error:
        raise ModelError(str(error) if str(error).startswith("model") else f"model: {error}") from None
    except TypeError as error:
        if config.target.startswith("windtunnel."):
            raise
        takes = ", ".join([*(field for field in type(config).model_fields if field != "name"), *context])
        raise ModelError(f"model {config.name}: {config.target} has to take {takes} as keywords: {error}") from error
    return model


def lay_out_channels_last(model: nn.Module) -> None:
    """Give every filter bank the memory layout that convolutions of channels-last images want."""
    for parameter in model.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
