"""Ops that move pixels. Each follows torchvision's transform of the same name, drawn per image."""

from typing import ClassVar, Literal

from windtunnel.config.augment.values import Fill, FractionRange, Interpolation, PositiveRange, Range
from windtunnel.config.base import Component, Count, Fraction


class Perspective(Component):
    """Look at the image from another point, with probability ``p``."""

    target: ClassVar[str] = "windtunnel.augment.geometry:Perspective"
    name: Literal["perspective"] = "perspective"
    distortion: Fraction = 0.5
    """Furthest a corner moves in, as a fraction of half the side."""
    p: Fraction = 0.5
    """Probability."""
    interpolation: Interpolation = "bilinear"
    """How pixels between pixels are read."""
    fill: Fill | None = 0.0
    """Value outside the image, 0..1; ``null`` is black that is blended in only once at the border."""


class Rotation(Component):
    """Rotate about the centre; positive angles turn counter-clockwise."""

    target: ClassVar[str] = "windtunnel.augment.geometry:Rotation"
    name: Literal["rotation"] = "rotation"
    degrees: Range = (-15.0, 15.0)
    """Lowest and highest angle, degrees."""
    p: Fraction = 1.0
    """Probability."""
    interpolation: Interpolation = "nearest"
    """How pixels between pixels are read."""
    fill: Fill | None = 0.0
    """Value outside the image, 0..1; ``null`` is black that is blended in only once at the border."""


class Affine(Component):
    """Rotate, move, scale and shear about the centre."""

    target: ClassVar[str] = "windtunnel.augment.geometry:Affine"
    name: Literal["affine"] = "affine"
    degrees: Range = (0.0, 0.0)
    """Lowest and highest angle, degrees; positive angles turn clockwise, as in torchvision's affine."""
    translate: tuple[Fraction, Fraction] = (0.0, 0.0)
    """Furthest horizontal and vertical move, as a fraction of the width and the height."""
    scale: PositiveRange = (1.0, 1.0)
    """Lowest and highest scale."""
    shear_x: Range = (0.0, 0.0)
    """Lowest and highest shear along x, degrees."""
    shear_y: Range = (0.0, 0.0)
    """Lowest and highest shear along y, degrees."""
    p: Fraction = 1.0
    """Probability."""
    interpolation: Interpolation = "nearest"
    """How pixels between pixels are read."""
    fill: Fill | None = 0.0
    """Value outside the image, 0..1; ``null`` is black that is blended in only once at the border."""


class HorizontalFlip(Component):
    """Mirror left and right with probability ``p``."""

    target: ClassVar[str] = "windtunnel.augment.flip:HorizontalFlip"
    name: Literal["horizontal_flip"] = "horizontal_flip"
    p: Fraction = 0.5
    """Probability."""


class VerticalFlip(Component):
    """Mirror top and bottom with probability ``p``."""

    target: ClassVar[str] = "windtunnel.augment.flip:VerticalFlip"
    name: Literal["vertical_flip"] = "vertical_flip"
    p: Fraction = 0.5
    """Probability."""


class AlternatingFlip(Component):
    """Flip half the images in epoch 0, then every image in turn: each view is seen every second epoch.

    Source: airbench (Jordan 2024).
    """

    target: ClassVar[str] = "windtunnel.augment.flip:AlternatingFlip"
    name: Literal["alternating_flip"] = "alternating_flip"


class RandomCrop(Component):
    """Pad every side, then cut the image's own size out at a random place."""

    target: ClassVar[str] = "windtunnel.augment.crop:RandomCrop"
    name: Literal["random_crop"] = "random_crop"
    padding: Count = 4
    """Pixels added on every side."""
    mode: Literal["zero", "reflect", "replicate"] = "zero"
    """What the added pixels hold; ``zero`` is black, as in torchvision."""


class ResizedCrop(Component):
    """Cut a random rectangle out and stretch it to the image's own size."""

    target: ClassVar[str] = "windtunnel.augment.crop:ResizedCrop"
    name: Literal["resized_crop"] = "resized_crop"
    scale: FractionRange = (0.08, 1.0)
    """Smallest and largest part of the area."""
    ratio: PositiveRange = (3 / 4, 4 / 3)
    """Smallest and largest width over height."""
    p: Fraction = 1.0
    """Probability."""
