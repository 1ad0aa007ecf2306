"""The weights a run is judged by, where they are not the ones that train."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import torch
from torch import nn

from windtunnel.config.optim import ScheduleFreeAdamW
from windtunnel.core.rng import derive_seed, seeded
from windtunnel.optim.schedule_free import averaged_weights
from windtunnel.training.assemble import Parts

_BATCH_NORM = nn.modules.batchnorm._BatchNorm


@contextmanager
def judged_weights(parts: Parts) -> Iterator[None]:
    """Put the weights to evaluate and to save in place for the block: a schedule-free optimizer's average.

    With any other optimizer these are the weights themselves and nothing is done.
    """
    if not isinstance(parts.experiment.optim, ScheduleFreeAdamW):
        yield
        return
    with averaged_weights(parts.optimizer), _measured_statistics(parts, parts.experiment.optim.norm_batches):
        yield


@contextmanager
def _measured_statistics(parts: Parts, batches: int) -> Iterator[None]:
    """Give batch norm the statistics of the weights as they are, over ``batches`` training batches, for the block."""
    norms = [module for module in parts.model.modules() if isinstance(module, _BATCH_NORM)]
    if not norms or batches == 0:
        yield
        return
    kept = {name: buffer.clone() for name, buffer in parts.model.named_buffers()}
    momenta = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over all batches
        with torch.no_grad(), seeded(derive_seed(parts.experiment.seed, "norm")), parts.precision.autocast():
            for batch in islice(parts.loader.epoch(0), batches):
                parts.model(batch.images)
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for name, buffer in parts.model.named_buffers():
            buffer.copy_(kept[name])
