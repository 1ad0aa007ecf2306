"""One optimizer update; nothing in it waits for the device."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from windtunnel.config.run import Sam
from windtunnel.core.types import Batch
from windtunnel.optim.groups import freeze_groups, set_learning_rates
from windtunnel.training.assemble import Parts
from windtunnel.training.state import TrainState

_SMALLEST_NORM = 1e-12

Update = Callable[[Batch], None]
"""The device's part of a step: gradients, optimizer, sums."""


def train_step(parts: Parts, state: TrainState, batch: Batch, update: Update | None = None) -> None:
    """Update the weights from ``batch`` and add its loss and hits to ``state``'s sums.

    ``update`` replaces the device's part of the step, e.g. by its recording.
    """
    _set_rates(parts, state.step)
    batch = _resized(batch, parts.size_at(state.step))
    if update is None:
        update_weights(parts, state, batch)
    else:
        update(batch)
    state.step += 1
    state.images += len(batch.labels) * parts.team.size
    if parts.averaging is not None:
        parts.averaging.update(state.step, parts.total_steps)
    if parts.ema is not None:
        parts.ema.update(state.step)


def update_weights(parts: Parts, state: TrainState, batch: Batch) -> None:
    """Do the device's part of a step: no value of it is looked at on the host."""
    sums = _add_gradients(parts, batch)
    if (sam := parts.experiment.train.sam) is not None:
        with _at_worst_point(parts.model, sam), _still_statistics(parts.model):
            parts.optimizer.zero_grad(set_to_none=True)
            _add_gradients(parts, batch)
    _clip(parts)
    parts.scaler.step(parts.optimizer)
    parts.scaler.update()
    parts.optimizer.zero_grad(set_to_none=True)
    _add_to_sums(parts, state, batch, sums)


def _set_rates(parts: Parts, step: int) -> None:
    multiplier = parts.schedule.multiplier(step, total_steps=parts.total_steps, steps_per_epoch=parts.steps_per_epoch)
    set_learning_rates(parts.optimizer, multiplier)
    freeze_groups(parts.optimizer, step / parts.steps_per_epoch)


def _resized(batch: Batch, size: int | None) -> Batch:
    if size is None or size == batch.images.shape[-1]:
        return batch
    # in float32: on CPUs torch has no antialiasing for the low formats
    shrunk = functional.interpolate(batch.images.float(), (size, size), mode="bilinear", antialias=True)
    return batch._replace(images=shrunk.to(batch.images.dtype))


def _add_gradients(parts: Parts, batch: Batch) -> Float[Tensor, "2"]:
    """Add the batch's gradients, of all processes, to the parameters', part by part; return its own loss and hits.

    Each part's logits are read before the next pass: a network captured as a CUDA graph writes over them there.
    """
    count, is_mean = parts.experiment.train.accumulate, parts.experiment.loss.reduction == "mean"
    sums = torch.zeros(2, device=batch.images.device)
    for images, labels in zip(batch.images.chunk(count), batch.labels.chunk(count), strict=True):
        with parts.precision.autocast():
            logits = parts.model(images)
        loss = parts.loss(logits, labels)
        if is_mean and count > 1:
            loss = loss * (len(labels) / len(batch.labels))
        parts.scaler.scale(loss).backward()
        sums = sums + torch.stack([loss.detach(), _count_hits(logits, labels)])
    parts.team.sum_gradients(parts.model, mean=is_mean)
    return sums


def _count_hits(logits: Float[Tensor, "b k"], labels: Tensor) -> Int64[Tensor, ""]:
    classes = labels if labels.ndim == 1 else labels.argmax(1)
    return (logits.argmax(1) == classes).sum()


@contextmanager
def _at_worst_point(model: nn.Module, sam: Sam) -> Iterator[None]:
    """Move the weights ``rho`` up their gradient for the block."""
    moved: list[Tensor] = [parameter for parameter in model.parameters() if parameter.grad is not None]
    kept = [parameter.detach().clone() for parameter in moved]
    with torch.no_grad():
        torch._foreach_add_(moved, _ascent(moved, sam))
    try:
        yield
    finally:
        with torch.no_grad():
            torch._foreach_copy_(moved, kept)


def _ascent(parameters: list[Tensor], sam: Sam) -> list[Tensor]:
    """Return the steps of joint norm ``rho`` up the gradient; its scale, such as a loss scaler's, does not matter."""
    gradients: list[Tensor] = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if sam.adaptive:
        sizes = torch._foreach_abs([parameter.detach() for parameter in parameters])
        gradients = list(torch._foreach_mul(gradients, sizes))
    length = torch.stack(torch._foreach_norm(gradients)).float().norm()
    steps = torch._foreach_mul(gradients, sam.rho / (length + _SMALLEST_NORM))
    return list(torch._foreach_mul(steps, sizes) if sam.adaptive else steps)


@contextmanager
def _still_statistics(model: nn.Module) -> Iterator[None]:
    """Keep batch norm's running statistics from moving for the block, also where a weight overflowed to NaN."""
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    tracked = [norm.track_running_stats for norm in norms]
    for norm in norms:
        norm.track_running_stats = False  # a momentum of 0 would still add 0 times NaN
    try:
        yield
    finally:
        for norm, was_tracked in zip(norms, tracked, strict=True):
            norm.track_running_stats = was_tracked


def _clip(parts: Parts) -> None:
    norm = parts.experiment.train.clip_norm
    if norm is None:
        return
    parts.scaler.unscale_(parts.optimizer)
    nn.utils.clip_grad_norm_(parts.model.parameters(), norm)


def _add_to_sums(parts: Parts, state: TrainState, batch: Batch, sums: Float[Tensor, "2"]) -> None:
    loss, right = sums.unbind()
    scale = 1 if parts.experiment.loss.reduction == "sum" else len(batch.labels)
    totals = parts.team.sum(torch.stack([loss * scale, right]))
    state.loss_sum += totals[0]
    state.right_sum += totals[1]
