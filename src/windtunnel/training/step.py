"""One optimizer update; nothing in it waits for the device."""

import torch
from torch import nn

from windtunnel.core.types import Batch
from windtunnel.optim.groups import freeze_groups, set_learning_rates
from windtunnel.training.assemble import Parts
from windtunnel.training.state import TrainState


def train_step(parts: Parts, state: TrainState, batch: Batch) -> None:
    """Update the weights from ``batch`` and add its loss and hits to ``state``'s sums."""
    _set_rates(parts, state.step)
    with parts.precision.autocast():
        logits = parts.model(batch.images)
    loss = parts.loss(logits, batch.labels)
    parts.scaler.scale(loss).backward()
    _clip(parts)
    parts.scaler.step(parts.optimizer)
    parts.scaler.update()
    parts.optimizer.zero_grad(set_to_none=True)
    state.step += 1
    if parts.averaging is not None:
        parts.averaging.update(state.step, parts.total_steps)
    _add_to_sums(parts, state, batch, logits.detach(), loss.detach())


def _set_rates(parts: Parts, step: int) -> None:
    multiplier = parts.schedule.multiplier(step, total_steps=parts.total_steps, steps_per_epoch=parts.steps_per_epoch)
    set_learning_rates(parts.optimizer, multiplier)
    freeze_groups(parts.optimizer, step / parts.steps_per_epoch)


def _clip(parts: Parts) -> None:
    norm = parts.experiment.train.clip_norm
    if norm is None:
        return
    parts.scaler.unscale_(parts.optimizer)
    nn.utils.clip_grad_norm_(parts.model.parameters(), norm)


def _add_to_sums(parts: Parts, state: TrainState, batch: Batch, logits: torch.Tensor, loss: torch.Tensor) -> None:
    labels = batch.labels if batch.labels.ndim == 1 else batch.labels.argmax(1)
    scale = 1 if parts.experiment.loss.reduction == "sum" else len(labels)
    state.loss_sum += loss * scale
    state.right_sum += (logits.argmax(1) == labels).sum()
    state.images += len(labels)
