"""Holding a network to upper limits before anything is trained."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from windtunnel.config.budget import BudgetConfig
from windtunnel.errors import ModelError
from windtunnel.models.shapes import Shape, in_mode
from windtunnel.models.summary import Layer, ModelSummary, summarise

_LATENCY_REPEATS = 15
_LARGEST = 3


@dataclass(frozen=True)
class Excess:
    """One limit that a network breaks.

    Args:
        limit: field of :class:`BudgetConfig`.
        measured: what the network costs, in the field's unit.
        allowed: the limit.
        largest: names and shares of the layers that cost most, e.g. ``"head (1,024)"``.
    """

    limit: str
    measured: float
    allowed: float
    largest: tuple[str, ...]

    def __str__(self) -> str:
        where = f"; largest: {', '.join(self.largest)}" if self.largest else ""
        over = 100 * (self.measured / self.allowed - 1)
        figures = f"{_show(self.measured)} exceeds {_show(self.allowed)} by {_show(over)}%"
        return f"budget.{self.limit}: {figures}{where}"


def check_budget(budget: BudgetConfig, module: nn.Module, *, input_shape: Shape, batch_size: int) -> None:
    """Do nothing when ``module`` keeps within ``budget``.

    Args:
        budget: the limits.
        module: the network.
        input_shape: channels, height, width.
        batch_size: images a training step.

    Raises:
        ModelError: a limit is broken; names every one, the figures and the largest layers.

    """
    broken = find_excess(budget, module, input_shape=input_shape, batch_size=batch_size)
    if broken:
        lines = "\n".join(f"  {excess}" for excess in broken)
        raise ModelError(f"{type(module).__name__} is over its budget:\n{lines}")


def find_excess(budget: BudgetConfig, module: nn.Module, *, input_shape: Shape, batch_size: int) -> tuple[Excess, ...]:
    """Return the limits ``module`` breaks, for sweeps that leave such networks out."""
    summary = summarise(module, in_shape=input_shape, batch_size=batch_size)
    checks: Sequence[tuple[str, float | None, Callable[[], float], tuple[str, ...]]] = (
        ("parameters", budget.parameters, lambda: summary.parameters, _largest(summary, "parameters")),
        ("macs", budget.macs, lambda: summary.macs, _largest(summary, "macs")),
        ("memory_mib", budget.memory_mib, lambda: training_memory_mib(summary), _largest_outputs(summary)),
        ("latency_ms", budget.latency_ms, lambda: latency_ms(module, input_shape), _largest(summary, "macs")),
    )
    measured = [Excess(name, measure(), allowed, largest) for name, allowed, measure, largest in checks if allowed]
    return tuple(excess for excess in measured if excess.measured > excess.allowed)


def training_memory_mib(summary: ModelSummary) -> float:
    """Return the memory of a training step: weights, gradients, momentum and activations, float32, MiB."""
    trainable = summary.trainable / max(summary.parameters, 1) * summary.parameters_mib
    return summary.parameters_mib + 2 * trainable + summary.activations_mib


def latency_ms(module: nn.Module, input_shape: Shape) -> float:
    """Return the median time of one image's forward pass on the CPU, milliseconds."""
    image = torch.zeros(1, *input_shape, dtype=next(module.parameters()).dtype)
    times = []
    with in_mode(module, training=False), torch.no_grad():
        for _ in range(_LATENCY_REPEATS + 1):
            start = time.perf_counter()
            module(image)
            times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[1:])  # the first pays for lazy initialisation


def _show(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _largest(summary: ModelSummary, field: str) -> tuple[str, ...]:
    def share(layer: Layer) -> int:
        return int(getattr(layer, field))

    top = sorted(summary.layers, key=share, reverse=True)[:_LARGEST]
    return tuple(f"{layer.name or layer.kind} ({share(layer):,})" for layer in top if share(layer))


def _largest_outputs(summary: ModelSummary) -> tuple[str, ...]:
    top = sorted(summary.layers, key=lambda layer: -torch.Size(layer.out_shape).numel())[:_LARGEST]
    return tuple(f"{layer.name or layer.kind} ({'x'.join(map(str, layer.out_shape))})" for layer in top)
