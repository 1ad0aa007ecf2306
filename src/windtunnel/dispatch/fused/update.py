"""The updates of torch's SGD, Adam and AdamW on stacked weights, each slice with rates of its own."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer

Stacked = dict[str, Tensor]


class StackedUpdate(Protocol):
    """Updates stacked weights (k ...) by stacked gradients."""

    def step(self, weights: Stacked, gradients: Stacked) -> None:
        """Change ``weights`` in place."""

    def state_of(self, name: str, run: int) -> dict[str, Tensor]:
        """Return what torch's optimizer of one run would keep for a weight, as a copy."""


class Rates:
    """The numbers of each run's parameter groups, read anew at every step.

    Args:
        optimizers: one a run, their groups in one order.
        names: the weights of each group.
        device: of the weights.
    """

    def __init__(self, optimizers: Sequence[Optimizer], names: Sequence[Sequence[str]], device: torch.device) -> None:
        self._optimizers, self._device = optimizers, device
        self._group_of = {name: group for group, members in enumerate(names) for name in members}
        self._read: dict[tuple[int, str, int | None], Tensor] = {}

    def start_step(self) -> None:
        """Forget what was read before."""
        self._read = {}

    def get(self, name: str, key: str, like: Tensor, index: int | None = None) -> Tensor:
        """Return ``key`` of the weight's group, one number a run, shaped to multiply ``like`` (k ...)."""
        place = (self._group_of[name], key, index)
        if place not in self._read:
            values = [optimizer.param_groups[place[0]][key] for optimizer in self._optimizers]
            numbers = [float(value if index is None else value[index]) for value in values]
            self._read[place] = torch.tensor(numbers, device=self._device)
        return self._read[place].view(-1, *[1] * (like.ndim - 1))


class StackedSgd:
    """``g += wd w; b = mu b + g; w -= lr (g + mu b)`` with Nesterov's form, else ``w -= lr b``."""

    def __init__(self, rates: Rates, weights: Stacked, *, nesterov: bool) -> None:
        self._rates, self._nesterov = rates, nesterov
        self._momentum = {name: torch.zeros_like(weight) for name, weight in weights.items()}

    def step(self, weights: Stacked, gradients: Stacked) -> None:
        """Change ``weights`` in place."""
        self._rates.start_step()
        for name, weight in weights.items():
            get = self._rates.get
            gradient = gradients[name] + get(name, "weight_decay", weight) * weight
            momentum = get(name, "momentum", weight)
            buffer = self._momentum[name].mul_(momentum).add_(gradient)
            direction = gradient + momentum * buffer if self._nesterov else buffer
            weight.sub_(get(name, "lr", weight) * direction)

    def state_of(self, name: str, run: int) -> dict[str, Tensor]:
        """Return the momentum buffer of one run."""
        return {"momentum_buffer": self._momentum[name][run].clone()}


class StackedAdam:
    """Adam (Kingma and Ba 2015) with L2 penalty, or decoupled weight decay (Loshchilov and Hutter 2019)."""

    def __init__(self, rates: Rates, weights: Stacked, *, decoupled: bool) -> None:
        self._rates, self._decoupled, self._steps = rates, decoupled, 0
        self._first = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        self._second = {name: torch.zeros_like(weight) for name, weight in weights.items()}

    def step(self, weights: Stacked, gradients: Stacked) -> None:
        """Change ``weights`` in place."""
        self._rates.start_step()
        self._steps += 1
        for name, weight in weights.items():
            self._step_one(name, weight, gradients[name])

    def _step_one(self, name: str, weight: Tensor, gradient: Tensor) -> None:
        def get(key: str, index: int | None = None) -> Tensor:
            return self._rates.get(name, key, weight, index)

        if self._decoupled:
            weight.mul_(1 - get("lr") * get("weight_decay"))
        else:
            gradient = gradient + get("weight_decay") * weight
        decay, decay_squares = get("betas", 0), get("betas", 1)
        first = self._first[name].mul_(decay).add_((1 - decay) * gradient)
        second = self._second[name].mul_(decay_squares).add_((1 - decay_squares) * gradient * gradient)
        size = (second / (1 - decay_squares**self._steps)).sqrt_().add_(get("eps"))
        weight.sub_(get("lr") / (1 - decay**self._steps) * first / size)

    def state_of(self, name: str, run: int) -> dict[str, Tensor]:
        """Return step count and moments of one run."""
        moments = {"exp_avg": self._first[name][run].clone(), "exp_avg_sq": self._second[name][run].clone()}
        return {"step": torch.tensor(float(self._steps)), **moments}


def build_update(name: str, rates: Rates, weights: Stacked, group: dict[str, Any]) -> StackedUpdate:
    """Return the update of the optimizer called ``name``; ``group`` is one of its parameter groups."""
    if name == "sgd":
        return StackedSgd(rates, weights, nesterov=bool(group["nesterov"]))
    return StackedAdam(rates, weights, decoupled=name == "adamw")
