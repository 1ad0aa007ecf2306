"""The one schedule that listens: it drops when the validation loss stops falling."""

import math
from dataclasses import dataclass
from typing import Literal

from windtunnel.optim.schedules import Place, WarmedUp


class Plateau:
    """Times ``factor`` after more than ``patience`` validations without an improvement.

    A loss improves when it is below ``best * (1 - threshold)``. Counting follows
    torch.optim.lr_scheduler.ReduceLROnPlateau. Drops count from the first validation, warm-up or not.

    >>> plateau = Plateau(factor=0.5, patience=1, threshold=0.0)
    >>> for loss in (1.0, 1.0, 1.0):
    ...     plateau.observe(loss)
    >>> plateau.multiplier(9, total_steps=100, steps_per_epoch=3)
    0.5
    """

    def __init__(
        self,
        *,
        factor: float,
        patience: int,
        threshold: float,
        minimum: float = 0.0,
        stop_below_lr: float | None = None,
        warmup_epochs: float = 0.0,
        warmup_from: float = 0.0,
        interval: Literal["step", "epoch"] = "step",
    ) -> None:
        self._factor, self._patience, self._threshold, self._minimum = factor, patience, threshold, minimum
        self._stop_below_lr = stop_below_lr
        self._warmup_epochs, self._warmup_from, self._interval = warmup_epochs, warmup_from, interval
        self._level, self._best, self._stale = 1.0, math.inf, 0

    def multiplier(self, step: int, *, total_steps: int, steps_per_epoch: int) -> float:
        """Return the warm-up's value, then the level reached by the drops so far."""
        level = _Level(
            level=self._level,
            warmup_epochs=self._warmup_epochs,
            warmup_from=self._warmup_from,
            interval=self._interval,
        )
        return level.multiplier(step, total_steps=total_steps, steps_per_epoch=steps_per_epoch)

    def observe(self, loss: float) -> None:
        """Take note of a validation loss."""
        if loss < self._best * (1 - self._threshold):
            self._best, self._stale = loss, 0
            return
        self._stale += 1
        if self._stale > self._patience:
            self._level, self._stale = max(self._level * self._factor, self._minimum), 0

    def is_over(self, peak_lr: float) -> bool:
        """Say whether the learning rate has fallen so far that training ends."""
        return self._stop_below_lr is not None and self._level * peak_lr < self._stop_below_lr

    def state_dict(self) -> dict[str, float]:
        """Return what a resumed run needs."""
        return {"level": self._level, "best": self._best, "stale": self._stale}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on from ``state``."""
        self._level, self._best, self._stale = state["level"], state["best"], int(state["stale"])


@dataclass(frozen=True, kw_only=True)
class _Level(WarmedUp):
    level: float

    def value(self, place: Place) -> float:
        return self.level
