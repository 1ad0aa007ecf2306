"""The training loop: an iterator that says what happened and leaves everything else to whoever consumes it."""

import math
import time
from collections.abc import Iterator

from windtunnel.core.device import synchronize
from windtunnel.core.memory import peak_memory
from windtunnel.core.reports import EpochReport, StepDone
from windtunnel.evaluation.metrics import Metrics, compute_metrics
from windtunnel.evaluation.predict import predict_logits
from windtunnel.evaluation.tta import PlainView
from windtunnel.optim.groups import training_groups
from windtunnel.optim.plateau import Plateau
from windtunnel.training.assemble import Parts
from windtunnel.training.graph import CudaRecorder, RecordedUpdate
from windtunnel.training.state import TrainState
from windtunnel.training.step import Update, train_step, update_weights
from windtunnel.training.weights import judged_weights


def train_epochs(parts: Parts, state: TrainState, update: Update | None = None) -> Iterator[StepDone | EpochReport]:
    """Train from ``state`` to the end, yielding after every step and after every epoch.

    Between two yields ``parts`` and ``state`` are consistent: the consumer may save them, or stop for good.
    Only an epoch's end waits for the device. ``update`` replaces the device's part of every step.
    """
    update = update or recorded_update(parts, state)
    while not is_over(parts, state):
        epoch, done = divmod(state.step, parts.steps_per_epoch)
        if done == 0:
            state.start_epoch()
        start, images_before = time.perf_counter(), state.images
        mark = start
        for batch in parts.loader.epoch(epoch, done):
            train_step(parts, state, batch, update)
            yield StepDone(state.step, parts.total_steps, epoch)
            mark = _count_seconds(state, mark)
            if is_over(parts, state):
                break
        synchronize(parts.device)
        _count_seconds(state, mark)
        yield _report(parts, state, epoch + 1, time.perf_counter() - start, state.images - images_before)


def is_over(parts: Parts, state: TrainState) -> bool:
    """Say whether all steps are done or the time is up."""
    return state.step >= parts.total_steps or is_time_up(parts, state)


def is_time_up(parts: Parts, state: TrainState) -> bool:
    """Say whether ``max_minutes`` of training and validation are over, by the leader's clock."""
    minutes = parts.experiment.train.max_minutes
    if minutes is None:
        return False
    spent = state.seconds.get("train", 0.0) + state.seconds.get("validate", 0.0)
    return bool(parts.team.agree_number(spent >= 60 * minutes))


def validate(parts: Parts) -> Metrics | None:
    """Return the metrics of the model on the validation part, its weights as they are, or None without one."""
    if parts.validation is None or parts.data.validation is None:
        return None
    logits = predict_logits(parts.model, parts.validation, PlainView(), autocast=parts.precision.autocast())
    return compute_metrics(logits.cpu(), parts.data.validation.labels, parts.data.spec.class_names)


def recorded_update(parts: Parts, state: TrainState) -> Update | None:
    """Return what replays the device's part of a step where that is wanted, or None to do it anew each time."""
    if not parts.experiment.runtime.cuda_graph:
        return None
    return RecordedUpdate(
        lambda batch: update_weights(parts, state, batch),
        lambda: training_groups(parts.optimizer),
        CudaRecorder(parts.device),
    )


def _count_seconds(state: TrainState, since: float) -> float:
    """Add the wall clock since ``since`` to the training time and return the time now."""
    now = time.perf_counter()
    state.seconds["train"] = state.seconds.get("train", 0.0) + now - since
    return now


def _validate_both(parts: Parts) -> tuple[Metrics | None, Metrics | None]:
    """Return the metrics of the weights and of their moving average."""
    with judged_weights(parts):
        raw = validate(parts)
    if parts.ema is None:
        return raw, None
    with parts.ema.swapped_in():
        return raw, validate(parts)


def _report(parts: Parts, state: TrainState, epoch: int, seconds: float, images: int) -> EpochReport:
    start = time.perf_counter()
    due = _is_due(parts, state)
    metrics, averaged = _validate_both(parts) if due and parts.team.is_leader else (None, None)
    state.seconds["validate"] = state.seconds.get("validate", 0.0) + time.perf_counter() - start
    report = EpochReport(
        epoch=epoch,
        step=state.step,
        train_loss=state.loss_sum.item() / state.images,
        train_accuracy=state.right_sum.item() / state.images,
        val_loss=metrics.loss if metrics else None,
        val_accuracy=metrics.accuracy if metrics else None,
        lr=float(parts.optimizer.param_groups[-1]["lr"]),
        seconds=seconds,
        images_per_second=images / seconds,
        val_loss_ema=averaged.loss if averaged else None,
        val_accuracy_ema=averaged.accuracy if averaged else None,
        memory_bytes=peak_memory(parts.device),
    )
    report = parts.team.agree(report)
    if report.val_loss is not None and isinstance(parts.schedule, Plateau):
        parts.schedule.observe(report.val_loss)
    return report


def _is_due(parts: Parts, state: TrainState) -> bool:
    """Say whether a multiple of ``validate_every`` epochs lies in the epoch just trained, or training is over."""
    every = parts.experiment.train.validate_every
    if every == 0:
        return False
    epochs = state.step / parts.steps_per_epoch
    crossed = math.floor(epochs / every + 1e-9) > math.floor((math.ceil(epochs) - 1) / every + 1e-9)
    return crossed or is_over(parts, state)
