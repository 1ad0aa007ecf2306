"""Losses."""

from typing import Annotated, ClassVar, Literal

from windtunnel.config.base import Component, ComponentOf, NonNegativeReal, OpenFraction, PositiveReal


class CrossEntropy(Component):
    """Softmax cross entropy."""

    target: ClassVar[str] = "windtunnel.optim.losses:CrossEntropy"
    name: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: OpenFraction = 0.0
    """Share of the target spread evenly over all classes."""
    reduction: Literal["mean", "sum"] = "mean"
    """``sum`` makes the gradient, and so the fitting learning rate, scale with the batch."""
    class_weights: tuple[NonNegativeReal, ...] | None = None
    """Weight of each class; ``null`` weighs all alike."""


class Focal(Component):
    """Cross entropy times ``(1 - p)**gamma``, p the probability of the label. Source: Lin et al. 2017."""

    target: ClassVar[str] = "windtunnel.optim.losses:Focal"
    name: Literal["focal"] = "focal"
    gamma: PositiveReal = 2.0
    """How much less the easy images count."""
    reduction: Literal["mean", "sum"] = "mean"
    """Mean or sum over the batch."""


LossConfig = Annotated[CrossEntropy | Focal, ComponentOf("loss")]
