"""An exponential moving average of a model's state, kept beside the weights that train."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from windtunnel.config.averaging import Ema

_AVERAGE_FORMAT = torch.float32


class MovingAverage:
    """``average = d * average + (1 - d) * weights`` after every ``every`` updates, over all float state.

    ``d`` is ``decay**every``, or with warm-up at most ``(1 + n) / (10 + n)`` for the n-th average. Counters such as
    batch norm's are taken over as they are. The average is kept in float32 whatever the weights are in: a thousandth of
    the way to them would be rounded to nothing in bfloat16.

    Args:
        model: the model that trains; its state's tensors must stay the same objects.
        config: decay, warm-up and interval.
    """

    def __init__(self, model: nn.Module, config: Ema) -> None:
        self._config = config
        state = list(model.state_dict().values())
        self._live = [tensor for tensor in state if tensor.is_floating_point()]
        self._average = [tensor.to(_AVERAGE_FORMAT, copy=True) for tensor in self._live]
        self._count = 0

    @torch.no_grad()
    def restart(self) -> None:
        """Begin with the weights as they are now."""
        torch._foreach_copy_(self._average, self._live)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the weights after ``step`` updates into the average when they are due."""
        if step % self._config.every:
            return
        self._count += 1
        decay = float(self._config.decay**self._config.every)
        if self._config.warmup:
            decay = min(decay, (1 + self._count) / (10 + self._count))
        torch._foreach_lerp_(self._average, [tensor.to(_AVERAGE_FORMAT) for tensor in self._live], 1 - decay)

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Put the average in the place of the weights for the block; nothing may train in it."""
        raw = [tensor.clone() for tensor in self._live]
        self._copy(self._average)
        try:
            yield
        finally:
            self._copy(raw)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        return {"average": self._average, "count": self._count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``."""
        self._count = state["count"]
        for mine, theirs in zip(self._average, state["average"], strict=True):
            mine.copy_(theirs)

    @torch.no_grad()
    def _copy(self, tensors: list[Tensor]) -> None:
        torch._foreach_copy_(self._live, tensors)
