"""Optimizers by name, from torch where torch has them."""

from collections.abc import Sequence

import torch
from torch import nn

from windtunnel.config.optim import ParameterGroup
from windtunnel.optim.groups import group_parameters


def build_sgd(
    model: nn.Module,
    *,
    lr: float,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
    groups: Sequence[ParameterGroup],
) -> torch.optim.SGD:
    """Return torch's fused SGD over ``model``'s trainable parameters."""
    return torch.optim.SGD(
        group_parameters(model, groups, lr=lr, weight_decay=weight_decay),
        momentum=momentum,
        nesterov=nesterov,
        fused=True,
    )
