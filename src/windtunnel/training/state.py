"""What changes while a run trains, apart from weights and optimizer."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass
class TrainState:
    """Place in training and running sums of the epoch under way.

    Args:
        step: optimizer updates done.
        loss_sum: sum over this epoch's images of their loss, on the device so that adding does not wait.
        right_sum: images of this epoch classified right, on the device.
        images: images of this epoch so far.
        best_metric: best validation metric so far, or None.
        stale_validations: validations since the best one improved.
        target_reached: whether the last validation reached ``train.target``.
        seconds: wall clock of each phase so far, over all processes that worked on the run.
    """

    loss_sum: Tensor
    right_sum: Tensor
    step: int = 0
    images: int = 0
    best_metric: float | None = None
    stale_validations: int = 0
    target_reached: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def fresh(cls, device: torch.device) -> "TrainState":
        """Return the state before the first step."""
        zeros = torch.zeros(2, dtype=torch.float64, device=device)
        return cls(loss_sum=zeros[0].clone(), right_sum=zeros[1].clone())

    def start_epoch(self) -> None:
        """Set the running sums back to zero."""
        self.loss_sum.zero_()
        self.right_sum.zero_()
        self.images = 0

    def state_dict(self) -> dict[str, Any]:
        """Return everything as tensors and plain values."""
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave, tensors moved to this state's device.

        Raises:
            AttributeError: there is something else in it.
            TypeError: a value is of another kind.
        """
        for name, value in state.items():
            mine = getattr(self, name)
            kind = float | None if name == "best_metric" else type(mine)
            if not isinstance(value, kind):
                raise TypeError(f"state.{name} is {type(value).__name__}, not {kind}")
            if isinstance(mine, Tensor) and isinstance(value, Tensor):
                mine.copy_(value)
            else:
                setattr(self, name, value)
