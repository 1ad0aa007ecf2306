"""Learning rate over time, as a multiplier of each group's peak rate."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from windtunnel.config.base import (
    Component,
    ComponentOf,
    Count,
    Fraction,
    NonNegativeReal,
    OpenFraction,
    PositiveReal,
)


class _Warmup(Component):
    warmup_epochs: NonNegativeReal = 0.0
    """Epochs of linear rise in front, from ``warmup_from`` to the schedule's start."""
    warmup_from: NonNegativeReal = 0.0
    """Multiplier at step 0 when there is a warm-up."""
    interval: Literal["step", "epoch"] = "step"
    """Change the rate at every step, or only when an epoch begins."""


class Constant(_Warmup):
    """The same learning rate throughout."""

    target: ClassVar[str] = "windtunnel.optim.schedules:Constant"
    name: Literal["constant"] = "constant"


class Step(_Warmup):
    """Times ``gamma`` every ``step_epochs`` epochs."""

    target: ClassVar[str] = "windtunnel.optim.schedules:Step"
    name: Literal["step"] = "step"
    step_epochs: PositiveReal = 10.0
    """Epochs between two drops."""
    gamma: PositiveReal = 0.1
    """Factor of a drop."""


class MultiStep(_Warmup):
    """Times ``gamma`` at each of ``milestones``."""

    target: ClassVar[str] = "windtunnel.optim.schedules:MultiStep"
    name: Literal["multi_step"] = "multi_step"
    milestones: tuple[PositiveReal, ...] = (60.0, 120.0, 160.0)
    """Epochs of the drops, counted from the end of the warm-up."""
    gamma: PositiveReal = 0.2
    """Factor of a drop."""

    @model_validator(mode="after")
    def _milestones_rise(self) -> "MultiStep":
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones must rise, not {list(self.milestones)}")
        return self


class Cosine(_Warmup):
    """Half a cosine from 1 to ``final``, once over the whole training or again and again."""

    target: ClassVar[str] = "windtunnel.optim.schedules:Cosine"
    name: Literal["cosine"] = "cosine"
    final: NonNegativeReal = 0.0
    """Multiplier at the end."""
    t_max: PositiveReal | None = None
    """Epochs of the half cosine; ``null`` takes all there are."""
    restart_factor: Annotated[PositiveReal, Field(ge=1)] | None = None
    """Start again at 1 after each ``t_max``, which grows by this factor; ``null`` stays at ``final``."""

    @model_validator(mode="after")
    def _restarts_need_a_length(self) -> "Cosine":
        if self.restart_factor is not None and self.t_max is None:
            raise ValueError("restart_factor needs t_max, the epochs of the first cosine")
        return self


class Linear(_Warmup):
    """A straight line from 1 to ``final``."""

    target: ClassVar[str] = "windtunnel.optim.schedules:Linear"
    name: Literal["linear"] = "linear"
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


class OneCycle(_Warmup):
    """Cosine rise from ``1 / start_divisor`` to 1, cosine fall to ``1 / (start_divisor * end_divisor)``.

    Source: Smith and Topin 2018; shape and defaults as in torch.optim.lr_scheduler.OneCycleLR.
    """

    target: ClassVar[str] = "windtunnel.optim.schedules:OneCycle"
    name: Literal["one_cycle"] = "one_cycle"
    rise: OpenFraction = 0.3
    """Fraction of training spent rising."""
    start_divisor: PositiveReal = 25.0
    """Peak over start."""
    end_divisor: PositiveReal = 1e4
    """Start over end."""


class Plateau(_Warmup):
    """Times ``factor`` when the validation loss has not improved for more than ``patience`` validations.

    Source: torch.optim.lr_scheduler.ReduceLROnPlateau, whose counting it follows.
    """

    target: ClassVar[str] = "windtunnel.optim.plateau:Plateau"
    name: Literal["plateau"] = "plateau"
    factor: OpenFraction = 0.5
    """Factor of a drop."""
    patience: Count = 4
    """Validations without an improvement that are borne."""
    threshold: NonNegativeReal = 1e-4
    """Relative improvement that counts as one."""
    minimum: NonNegativeReal = 0.0
    """Smallest multiplier."""
    stop_below_lr: PositiveReal | None = None
    """End training once the learning rate is below this (S0: 1e-7); ``null`` never does."""


ScheduleConfig = Annotated[
    Constant | Step | MultiStep | Cosine | Linear | PiecewiseLinear | OneCycle | Plateau, ComponentOf("schedule")
]
