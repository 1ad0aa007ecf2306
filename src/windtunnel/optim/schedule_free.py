"""Schedule-free AdamW from the package ``schedulefree`` (Defazio et al. 2024), an optional dependency."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import nn
from torch.optim import Optimizer

from windtunnel.config.optim import ParameterGroup
from windtunnel.errors import UsageError
from windtunnel.optim.groups import group_parameters


def build_schedule_free_adamw(
    model: nn.Module,
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    groups: Sequence[ParameterGroup],
    norm_batches: int,
) -> Optimizer:
    """Return schedule-free AdamW over ``model``'s trainable parameters, ready to train.

    Each of its groups holds ``norm_batches``, the training batches that batch norm wants before an evaluation.

    Raises:
        UsageError: the package schedulefree is not installed.
    """
    try:
        from schedulefree import AdamWScheduleFree
    except ImportError:
        raise UsageError(
            "optim schedule_free_adamw needs the package schedulefree: pip install 'windtunnel[schedulefree]'"
        ) from None
    parameters = group_parameters(model, groups, lr=lr, weight_decay=weight_decay)
    optimizer = AdamWScheduleFree(
        [group | {"norm_batches": norm_batches} for group in parameters], lr=lr, betas=betas, eps=eps
    )
    optimizer.train()
    return cast(Optimizer, optimizer)


@contextmanager
def averaged_weights(optimizer: Any) -> Iterator[None]:
    """Put a schedule-free optimizer's average in the place of the weights for the block.

    The weights come back as copies, not by the package's arithmetic, so that an evaluation changes no bit of training.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    training = [parameter.detach().clone() for parameter in parameters]
    optimizer.eval()
    try:
        yield
    finally:
        optimizer.train()
        with torch.no_grad():
            torch._foreach_copy_(parameters, training)
