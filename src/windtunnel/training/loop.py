"""The training loop: an iterator that says what happened and leaves everything else to whoever consumes it."""

import math
import time
from collections.abc import Iterator

from windtunnel.core.device import synchronize
from windtunnel.core.reports import EpochReport, StepDone
from windtunnel.evaluation.metrics import Metrics, compute_metrics
from windtunnel.evaluation.predict import predict_logits
from windtunnel.evaluation.tta import PlainView
from windtunnel.optim.plateau import Plateau
from windtunnel.training.assemble import Parts
from windtunnel.training.state import TrainState
from windtunnel.training.step import train_step


def train_epochs(parts: Parts, state: TrainState) -> Iterator[StepDone | EpochReport]:
    """Train from ``state`` to the end, yielding after every step and after every epoch.

    Between two yields ``parts`` and ``state`` are consistent: the consumer may save them, or stop for good.
    Only an epoch's end waits for the device.
    """
    while state.step < parts.total_steps:
        epoch, done = divmod(state.step, parts.steps_per_epoch)
        if done == 0:
            state.start_epoch()
        start, images_before = time.perf_counter(), state.images
        for batch in parts.loader.epoch(epoch, done):
            train_step(parts, state, batch)
            yield StepDone(state.step, parts.total_steps, epoch)
            if state.step == parts.total_steps:
                break
        synchronize(parts.device)
        yield _report(parts, state, epoch + 1, time.perf_counter() - start, state.images - images_before)


def validate(parts: Parts) -> Metrics | None:
    """Return the metrics of the model as it is on the validation part, plain view, or None without one."""
    if parts.validation is None or parts.data.validation is None:
        return None
    logits = predict_logits(parts.model, parts.validation, PlainView(), autocast=parts.precision.autocast())
    return compute_metrics(logits.cpu(), parts.data.validation.labels, parts.data.spec.class_names)


def _report(parts: Parts, state: TrainState, epoch: int, seconds: float, images: int) -> EpochReport:
    state.seconds["train"] = state.seconds.get("train", 0.0) + seconds
    start = time.perf_counter()
    metrics = validate(parts) if _is_due(parts, state) else None
    if metrics is not None and isinstance(parts.schedule, Plateau):
        parts.schedule.observe(metrics.loss)
    state.seconds["validate"] = state.seconds.get("validate", 0.0) + time.perf_counter() - start
    return EpochReport(
        epoch=epoch,
        step=state.step,
        train_loss=state.loss_sum.item() / state.images,
        train_accuracy=state.right_sum.item() / state.images,
        val_loss=metrics.loss if metrics else None,
        val_accuracy=metrics.accuracy if metrics else None,
        lr=parts.optimizer.param_groups[-1]["lr"],
        seconds=seconds,
        images_per_second=images / seconds,
    )


def _is_due(parts: Parts, state: TrainState) -> bool:
    """Say whether a multiple of ``validate_every`` epochs lies in the epoch just trained, or training is over."""
    every = parts.experiment.train.validate_every
    if every == 0:
        return False
    epochs = state.step / parts.steps_per_epoch
    crossed = math.floor(epochs / every + 1e-9) > math.floor((math.ceil(epochs) - 1) / every + 1e-9)
    return crossed or state.step == parts.total_steps
