"""Averaging of weights while they train."""

from typing import Annotated, ClassVar, Literal

from windtunnel.config.base import (
    Component,
    ComponentOf,
    Count,
    Flag,
    Fraction,
    FrozenConfig,
    NonNegativeReal,
    OpenFraction,
)


class Lookahead(Component):
    """Every ``every`` steps ``slow += alpha * (fast - slow)``, and the fast weights jump to the slow ones.

    Around any optimizer. Source: Zhang et al. 2019; S3 uses 5 and 0.5.
    """

    target: ClassVar[str] = "windtunnel.optim.averaging:Lookahead"
    name: Literal["lookahead"] = "lookahead"
    every: Count = 5
    """Steps between the jumps."""
    alpha: Fraction = 0.5
    """How far the slow weights move."""


class LookaheadEma(Component):
    """Every few steps the slow weights move towards the fast ones, and the fast ones jump to the slow.

    The slow weights' decay rises as ``decay**every * (step / total)**power``. Source: airbench94 (Jordan 2024).
    """

    target: ClassVar[str] = "windtunnel.optim.averaging:LookaheadEma"
    name: Literal["lookahead_ema"] = "lookahead_ema"
    decay: Fraction = 0.95
    """Decay a step at the end of training."""
    every: Count = 5
    """Steps between the jumps."""
    power: NonNegativeReal = 3.0
    """How late the decay rises."""


class Ema(FrozenConfig):
    """Exponential moving average of weights and norm statistics, evaluated and saved beside the raw weights."""

    decay: OpenFraction = 0.999
    """Decay an update."""
    warmup: Flag = True
    """Rise to ``decay`` as ``(1 + step) / (10 + step)``, so that a short run does not remember its start."""
    every: Count = 1
    """Updates of the weights between two of the average; ``decay`` is taken to the power of this."""


AveragingConfig = Annotated[Lookahead | LookaheadEma, ComponentOf("averaging")]
