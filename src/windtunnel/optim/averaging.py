"""Averaging of weights while they train."""

from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Averaging(Protocol):
    """Keeps an average of a model's float state."""

    def restart(self) -> None:
        """Begin with the weights as they are now."""

    def update(self, step: int, total_steps: int) -> None:
        """Take note of the weights after ``step`` updates; may change them."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``."""


class _SlowWeights:
    """Slow copies of a model's float tensors, and the jump of the fast ones to them."""

    def __init__(self, fast: list[Tensor]) -> None:
        self._fast = fast
        self._slow = [tensor.clone() for tensor in fast]

    @torch.no_grad()
    def restart(self) -> None:
        """Begin with the weights as they are now."""
        torch._foreach_copy_(self._slow, self._fast)

    def state_dict(self) -> dict[str, list[Tensor]]:
        """Return the slow weights."""
        return {"slow": self._slow}

    def load_state_dict(self, state: dict[str, list[Tensor]]) -> None:
        """Take the slow weights over."""
        for mine, theirs in zip(self._slow, state["slow"], strict=True):
            mine.copy_(theirs)

    def _jump(self, share_of_fast: float) -> None:
        for slow, fast in zip(self._slow, self._fast, strict=True):
            slow.lerp_(fast, share_of_fast)
            fast.copy_(slow)


class LookaheadEma(_SlowWeights):
    """Slow weights that the fast ones jump back to every few steps.

    After ``step`` updates, each ``every`` of them: ``slow = a * slow + (1 - a) * fast; fast = slow`` with
    ``a = decay**every * (step / total)**power``, over all float state, batch norm's statistics included. The
    last step ends on the slow weights alone. Source: airbench94 (Jordan 2024).
    """

    def __init__(self, model: nn.Module, *, decay: float, every: int, power: float) -> None:
        self._decay, self._every, self._power = decay, every, power
        super().__init__([tensor for tensor in model.state_dict().values() if tensor.is_floating_point()])

    @torch.no_grad()
    def update(self, step: int, total_steps: int) -> None:
        """Jump when ``step`` is a multiple of ``every``, and to the slow weights at the end."""
        if step % self._every == 0:
            pull = self._decay**self._every * (step / total_steps) ** self._power
            self._jump(1 - pull)
        if step == total_steps:
            self._jump(0.0)


class Lookahead(_SlowWeights):
    """Slow weights that move ``alpha`` of the way to the fast ones every few steps; the fast ones jump to them.

    ``slow += alpha * (fast - slow); fast = slow`` after every ``every`` updates, over the parameters.
    Source: Zhang et al. 2019.
    """

    def __init__(self, model: nn.Module, *, every: int, alpha: float) -> None:
        self._every, self._alpha = every, alpha
        super().__init__([parameter.detach() for parameter in model.parameters() if parameter.requires_grad])

    @torch.no_grad()
    def update(self, step: int, total_steps: int) -> None:
        """Jump when ``step`` is a multiple of ``every``."""
        if step % self._every == 0:
            self._jump(self._alpha)
