"""Ops that change colours and tones. Each follows torchvision's transform of the same name, per image."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from windtunnel.config.augment.values import OddCount, PositiveRange
from windtunnel.config.base import Component, Fraction, NonNegativeReal


class Grayscale(Component):
    """Take the colour out with probability ``p``; images of one channel stay as they are."""

    target: ClassVar[str] = "windtunnel.augment.colour:Grayscale"
    name: Literal["grayscale"] = "grayscale"
    p: Fraction = 0.1
    """Probability."""


class Invert(Component):
    """Turn white into black with probability ``p``."""

    target: ClassVar[str] = "windtunnel.augment.colour:Invert"
    name: Literal["invert"] = "invert"
    p: Fraction = 0.5
    """Probability."""


class ColorJitter(Component):
    """Change brightness, contrast, saturation and hue by random factors, in an order of the image's own."""

    target: ClassVar[str] = "windtunnel.augment.colour:ColorJitter"
    name: Literal["color_jitter"] = "color_jitter"
    brightness: NonNegativeReal = 0.0
    """The factor is between max(0, 1 - this) and 1 + this."""
    contrast: NonNegativeReal = 0.0
    """The factor is between max(0, 1 - this) and 1 + this."""
    saturation: NonNegativeReal = 0.0
    """The factor is between max(0, 1 - this) and 1 + this."""
    hue: Annotated[float, Field(strict=True, ge=0, le=0.5)] = 0.0
    """The hue turns by at most this part of the colour circle, either way."""
    p: Fraction = 1.0
    """Probability."""


class Posterize(Component):
    """Keep the highest bits of each value, with probability ``p``."""

    target: ClassVar[str] = "windtunnel.augment.tone:Posterize"
    name: Literal["posterize"] = "posterize"
    bits: Annotated[int, Field(strict=True, ge=1, le=8)] = 4
    """Bits kept."""
    p: Fraction = 0.5
    """Probability."""


class Solarize(Component):
    """Invert the values from ``threshold`` on, with probability ``p``."""

    target: ClassVar[str] = "windtunnel.augment.tone:Solarize"
    name: Literal["solarize"] = "solarize"
    threshold: Fraction = 0.5
    """Values from here on are inverted, 0..1."""
    p: Fraction = 0.5
    """Probability."""


class AutoContrast(Component):
    """Stretch each channel to the full range, with probability ``p``."""

    target: ClassVar[str] = "windtunnel.augment.tone:AutoContrast"
    name: Literal["autocontrast"] = "autocontrast"
    p: Fraction = 0.5
    """Probability."""


class Equalize(Component):
    """Flatten the histogram of each channel, with probability ``p``."""

    target: ClassVar[str] = "windtunnel.augment.tone:Equalize"
    name: Literal["equalize"] = "equalize"
    p: Fraction = 0.5
    """Probability."""


class Sharpness(Component):
    """Sharpen or soften, with probability ``p``."""

    target: ClassVar[str] = "windtunnel.augment.tone:Sharpness"
    name: Literal["sharpness"] = "sharpness"
    factor: NonNegativeReal = 2.0
    """0 blurs, 1 changes nothing, 2 doubles the sharpness."""
    p: Fraction = 0.5
    """Probability."""


class GaussianBlur(Component):
    """Blur with a Gaussian of random width, with probability ``p``."""

    target: ClassVar[str] = "windtunnel.augment.blur:GaussianBlur"
    name: Literal["gaussian_blur"] = "gaussian_blur"
    kernel_size: OddCount = 3
    """Side of the kernel, pixels; odd."""
    sigma: PositiveRange = (0.1, 2.0)
    """Lowest and highest standard deviation, pixels."""
    p: Fraction = 1.0
    """Probability."""
