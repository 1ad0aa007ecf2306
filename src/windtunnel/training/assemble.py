"""From an experiment to the objects that train it: the one place that knows every package."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.func import functional_call
from torch.optim import Optimizer

from windtunnel.config.experiment import Experiment
from windtunnel.core.device import DTYPES, describe_device
from windtunnel.core.reports import RunInfo
from windtunnel.core.types import DataInitialised
from windtunnel.data.open import OpenedData, open_data
from windtunnel.data.placement import Placement, choose_placement
from windtunnel.data.sharing import use_shared_parts
from windtunnel.errors import ConfigError, ModelError, Problem
from windtunnel.evaluation.tta import Views
from windtunnel.models.shapes import in_mode, infer_shape, on_meta
from windtunnel.models.winograd.use import check_can_use
from windtunnel.optim.averaging import Averaging
from windtunnel.optim.ema import MovingAverage
from windtunnel.optim.groups import put_rates_on_device, scale_learning_rates
from windtunnel.optim.losses import CrossEntropy, Focal
from windtunnel.optim.optimizers import zero_momentum
from windtunnel.optim.schedules import Schedule
from windtunnel.training.graph import check_can_compile, check_can_record
from windtunnel.training.loaders import ImageLoader, build_loader
from windtunnel.training.network import Classifier, build_model, build_views
from windtunnel.training.precision import Precision
from windtunnel.training.sharing import check_last_batch, check_sharing
from windtunnel.training.team import ALONE, Team

_IMAGES_FOR_INITIALISATION = 5000


@dataclass(frozen=True)
class Parts:
    """Everything a run needs, built and on its device."""

    experiment: Experiment
    team: Team
    device: torch.device
    precision: Precision
    data: OpenedData
    model: nn.Module
    placement: Placement
    loader: ImageLoader
    validation: ImageLoader | None
    optimizer: Optimizer
    schedule: Schedule
    loss: CrossEntropy | Focal
    averaging: Averaging | None
    ema: MovingAverage | None
    scaler: torch.amp.GradScaler
    views: Views
    steps_per_epoch: int
    total_steps: int

    def size_at(self, step: int) -> int | None:
        """Return the height and width that progressive resizing wants after ``step`` updates; None is full size."""
        epoch = step / self.steps_per_epoch
        return next((size for start, size in reversed(self.experiment.train.resize) if start <= epoch + 1e-9), None)

    @property
    def classifier(self) -> Classifier:
        """The network with what answering takes."""
        return Classifier(
            experiment=self.experiment,
            device=self.device,
            precision=self.precision,
            model=self.model,
            views=self.views,
            spec=self.data.spec,
            mean=self.data.mean,
            std=self.data.std,
        )

    def info(self, folder: str, start_step: int) -> RunInfo:
        """Return what trackers are told at the start."""
        return RunInfo(
            name=self.experiment.name,
            folder=folder,
            device=describe_device(self.device),
            precision=self.experiment.runtime.precision,
            parameters=sum(parameter.numel() for parameter in self.model.parameters()),
            train_images=len(self.data.train),
            start_step=start_step,
            total_steps=self.total_steps,
            epochs=self.experiment.train.epochs,
            placement=str(self.placement),
            team=self.team.describe(self.experiment.runtime.batch_norm),
        )


def assemble(experiment: Experiment, *, cache_dir: Path | None = None, team: Team = ALONE) -> Parts:
    """Build everything ``experiment`` describes; nothing is trained yet.

    Raises:
        UsageError: the device, the data, the model or a parameter group cannot be had as described.
    """
    check_sharing(experiment, team.size)
    device = team.resolve_device(experiment.runtime.device)
    if experiment.runtime.cuda_graph:
        check_can_record(device)
    check_can_compile(experiment, device)
    if experiment.runtime.convolution == "winograd":
        check_can_use(device)
    precision = Precision(device, DTYPES[experiment.runtime.precision], experiment.runtime.low_precision_weights)
    data, sharing = use_shared_parts(open_data(experiment.data, cache_dir), device)
    _check_watched(experiment, data)
    _check_class_weights(experiment, len(data.spec.class_names))
    check_last_batch(experiment, len(data.train), team.size)
    model = build_model(experiment, data.spec, precision)
    _check_resize(experiment, model, data.spec.channels)
    _check_smallest_part(experiment, model, data, team)
    placement = choose_placement(experiment.data.placement, data.train.num_bytes, device, sharing=sharing)
    loader = build_loader(experiment, data, "train", precision, training=True, placement=placement, share=team.share)
    validation = None
    if data.validation is not None and team.is_leader:
        validation = build_loader(experiment, data, "validation", precision, training=False)
    averaging = experiment.averaging
    return Parts(
        experiment=experiment,
        team=team,
        device=device,
        precision=precision,
        data=data,
        model=team.sync_batch_norm(model) if experiment.runtime.batch_norm == "synced" else model,
        placement=placement,
        loader=loader,
        validation=validation,
        optimizer=_build_optimizer(experiment, model, precision),
        schedule=experiment.schedule.build(),
        loss=experiment.loss.build(),
        averaging=averaging.build(model=model) if averaging else None,
        ema=MovingAverage(model, experiment.ema) if experiment.ema else None,
        scaler=precision.scaler(),
        views=build_views(experiment, data.spec),
        steps_per_epoch=len(loader),
        total_steps=math.ceil(experiment.train.epochs * len(loader)),
    )


def _check_watched(experiment: Experiment, data: OpenedData) -> None:
    if experiment.watchers and data.validation is None:
        problem = (
            f"needs a validation part and {data.spec.name} brings none of its own: set data.split.validation above 0"
        )
        raise ConfigError("experiment", [Problem(experiment.watchers[0], problem)])


def _check_class_weights(experiment: Experiment, classes: int) -> None:
    weights = getattr(experiment.loss, "class_weights", None)
    if weights is not None and len(weights) != classes:
        raise ConfigError(
            "experiment",
            [
                Problem(
                    "loss.class_weights", f"must have one weight for each of the {classes} classes", str(len(weights))
                )
            ],
        )


def _check_resize(experiment: Experiment, model: nn.Module, channels: int) -> None:
    """Find out on the meta device whether the network takes the sizes of progressive resizing."""
    for position, (_, size) in enumerate(experiment.train.resize):
        try:
            infer_shape(model, (channels, size, size))
        except ModelError as error:
            problem = Problem(
                f"train.resize.{position}", f"the network {error}; use another size or network", str(size)
            )
            raise ConfigError("experiment", [problem]) from None


def _check_smallest_part(experiment: Experiment, model: nn.Module, data: OpenedData, team: Team) -> None:
    """Find out whether batch norm would be given a single value a channel, as at the end of an epoch in one image."""
    settings, images = experiment.data, len(data.train)
    sizes = {min(settings.batch_size, images), 0 if settings.drop_last else images % settings.batch_size}
    if 1 not in {_last_part(size // team.size, experiment.train.accumulate) for size in sizes}:
        return
    alone = torch.empty(1, *data.train.image_shape, device="meta", dtype=next(model.parameters()).dtype)
    try:
        with in_mode(model, training=True), torch.no_grad():
            functional_call(model, dict(on_meta(model)), alone)
    except ValueError as error:
        fields = "data.batch_size, data.drop_last=true or train.accumulate"
        message = f"leaves a single image to a pass, over which batch norm has no statistics ({error}); change {fields}"
        raise ConfigError("experiment", [Problem("data.batch_size", message, str(settings.batch_size))]) from None
    except RuntimeError:  # a network of one's own that cannot run without data finds out in training
        return


def _last_part(size: int, count: int) -> int:
    """Return the images of the last of ``count`` parts that torch cuts a batch into.

    >>> _last_part(10, 3), _last_part(9, 4), _last_part(5, 1)
    (2, 3, 5)
    """
    return size - (size - 1) // -(-size // count) * -(-size // count) if size else 0


def _build_optimizer(experiment: Experiment, model: nn.Module, precision: Precision) -> Optimizer:
    optimizer: Optimizer = experiment.optim.build(model=model)
    _check_something_trains(experiment, optimizer)
    if (scaling := experiment.train.lr_scaling) is not None:
        scale_learning_rates(optimizer, scaling.factor(experiment.data.batch_size))
    if experiment.runtime.cuda_graph:
        put_rates_on_device(optimizer, precision.device)
    if isinstance(optimizer, torch.optim.SGD) and precision.scaler().is_enabled():
        zero_momentum(optimizer)
    return optimizer


def _check_something_trains(experiment: Experiment, optimizer: Optimizer) -> None:
    ends = [group["train_epochs"] for group in optimizer.param_groups]
    if None not in ends and max(ends) < experiment.train.epochs:
        message = f"freeze every parameter before train.epochs={experiment.train.epochs:g}; leave something to train"
        raise ConfigError("experiment", [Problem("optim.groups", message, f"train_epochs {max(ends):g}")])


def initialise_from_data(parts: Parts) -> None:
    """Give a model that starts from the data (a whitening stem) the first training images, plain."""
    if not isinstance(parts.model, DataInitialised):
        return
    loader = build_loader(
        parts.experiment, parts.data, "train", parts.precision, training=False, first=_IMAGES_FOR_INITIALISATION
    )
    with torch.no_grad():
        parts.model.initialise_from(torch.cat([batch.images for batch in loader.epoch(0)]))
    for average in (parts.averaging, parts.ema):
        if average is not None:
            average.restart()
