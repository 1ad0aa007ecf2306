"""Ops that take a part of the image away."""

from typing import ClassVar, Literal

from windtunnel.config.augment.values import Fill, FractionRange, PositiveRange
from windtunnel.config.base import Component, Fraction, NonNegativeInt


class Erasing(Component):
    """Set a random rectangle to one value, with probability ``p``, before normalisation."""

    target: ClassVar[str] = "windtunnel.augment.erase:Erasing"
    name: Literal["erasing"] = "erasing"
    scale: FractionRange = (0.02, 0.33)
    """Smallest and largest part of the area."""
    ratio: PositiveRange = (0.3, 3.3)
    """Smallest and largest height over width."""
    value: Fill = 0.0
    """What the rectangle holds, 0..1."""
    p: Fraction = 0.5
    """Probability."""


class Cutout(Component):
    """Set one square, fully inside the image, to the data set's mean."""

    target: ClassVar[str] = "windtunnel.augment.erase:Cutout"
    name: Literal["cutout"] = "cutout"
    size: NonNegativeInt = 8
    """Side of the square, pixels."""
    p: Fraction = 1.0
    """Probability."""
