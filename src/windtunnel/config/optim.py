"""Optimizers, parameter groups, learning-rate schedules, losses and weight averaging."""

from typing import Annotated, ClassVar, Literal

from pydantic import model_validator

from windtunnel.config.base import (
    Component,
    ComponentOf,
    Count,
    Flag,
    Fraction,
    FrozenConfig,
    NonNegativeReal,
    OpenFraction,
    PositiveReal,
    Text,
)


class ParameterGroup(FrozenConfig):
    """What is different for the parameters whose name matches; the first group that matches wins."""

    match: Text
    """Shell pattern on the parameter's dotted name, e.g. ``*.bias``; ``@norm`` and ``@bias`` mean the kind."""
    lr_scale: NonNegativeReal = 1.0
    """Learning rate relative to the optimizer's."""
    weight_decay: NonNegativeReal | None = None
    """Weight decay of the group; ``null`` keeps the optimizer's."""
    train_epochs: NonNegativeReal | None = None
    """Frozen after this many epochs; 0 freezes from the start, ``null`` trains throughout."""


class Sgd(Component):
    """Stochastic gradient descent with momentum (torch.optim.SGD)."""

    target: ClassVar[str] = "windtunnel.optim.optimizers:build_sgd"
    name: Literal["sgd"] = "sgd"
    lr: PositiveReal = 0.1
    """Peak learning rate."""
    momentum: OpenFraction = 0.9
    """Momentum."""
    nesterov: Flag = True
    """Nesterov's form."""
    weight_decay: NonNegativeReal = 5e-4
    """L2 penalty, coupled as in torch."""
    groups: tuple[ParameterGroup, ...] = ()
    """Exceptions by parameter name."""

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> "Sgd":
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs momentum above 0; set nesterov: false or raise momentum")
        return self


OptimConfig = Annotated[Sgd, ComponentOf("optimizer")]


class _Warmup(Component):
    warmup_epochs: NonNegativeReal = 0.0
    """Epochs of linear rise in front, from ``warmup_from`` to the schedule's start."""
    warmup_from: NonNegativeReal = 0.0
    """Multiplier at step 0 when there is a warm-up."""


class Constant(_Warmup):
    """The same learning rate throughout."""

    target: ClassVar[str] = "windtunnel.optim.schedules:Constant"
    name: Literal["constant"] = "constant"


class Cosine(_Warmup):
    """Half a cosine from 1 to ``final``."""

    target: ClassVar[str] = "windtunnel.optim.schedules:Cosine"
    name: Literal["cosine"] = "cosine"
    final: NonNegativeReal = 0.0
    """Multiplier at the end."""


class PiecewiseLinear(_Warmup):
    """Straight lines between points."""

    target: ClassVar[str] = "windtunnel.optim.schedules:PiecewiseLinear"
    name: Literal["piecewise_linear"] = "piecewise_linear"
    points: tuple[tuple[Fraction, NonNegativeReal], ...] = ((0.0, 1.0), (1.0, 0.0))
    """(fraction of training, multiplier), rising in the first; held constant outside."""

    @model_validator(mode="after")
    def _points_rise(self) -> "PiecewiseLinear":
        places = [place for place, _ in self.points]
        if not places or places != sorted(set(places)):
            raise ValueError(f"points need rising fractions of training, not {places}")
        return self


ScheduleConfig = Annotated[Constant | Cosine | PiecewiseLinear, ComponentOf("schedule")]


class CrossEntropy(Component):
    """Softmax cross entropy."""

    target: ClassVar[str] = "windtunnel.optim.losses:CrossEntropy"
    name: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: OpenFraction = 0.0
    """Share of the target spread evenly over all classes."""
    reduction: Literal["mean", "sum"] = "mean"
    """``sum`` makes the gradient, and so the fitting learning rate, scale with the batch."""


LossConfig = Annotated[CrossEntropy, ComponentOf("loss")]


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


AveragingConfig = Annotated[LookaheadEma, ComponentOf("averaging")]
