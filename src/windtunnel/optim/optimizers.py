"""Optimizers by name, from torch where torch has them; fused kernels where they exist."""

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
    parameters = group_parameters(model, groups, lr=lr, weight_decay=weight_decay)
    return torch.optim.SGD(parameters, momentum=momentum, nesterov=nesterov, fused=True)


def zero_momentum(optimizer: torch.optim.SGD) -> None:
    """Make the momentum buffers now, of zeros.

    Else torch's fused kernel makes them of whatever lies in memory, and where a loss scaler skips the very first update
    it trains on from that.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"] if group["momentum"] else ():
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)


def build_adam(
    model: nn.Module,
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    groups: Sequence[ParameterGroup],
) -> torch.optim.Adam:
    """Return torch's fused Adam over ``model``'s trainable parameters."""
    parameters = group_parameters(model, groups, lr=lr, weight_decay=weight_decay)
    return torch.optim.Adam(parameters, betas=betas, eps=eps, fused=True)


def build_adamw(
    model: nn.Module,
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    groups: Sequence[ParameterGroup],
) -> torch.optim.AdamW:
    """Return torch's fused AdamW over ``model``'s trainable parameters."""
    parameters = group_parameters(model, groups, lr=lr, weight_decay=weight_decay)
    return torch.optim.AdamW(parameters, betas=betas, eps=eps, fused=True)


def build_rmsprop(
    model: nn.Module,
    *,
    lr: float,
    alpha: float,
    momentum: float,
    eps: float,
    weight_decay: float,
    groups: Sequence[ParameterGroup],
) -> torch.optim.RMSprop:
    """Return torch's RMSprop over ``model``'s trainable parameters; it has no fused kernel."""
    parameters = group_parameters(model, groups, lr=lr, weight_decay=weight_decay)
    return torch.optim.RMSprop(parameters, alpha=alpha, momentum=momentum, eps=eps)
