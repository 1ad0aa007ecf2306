"""Automatic policies: a random choice of ops for every image."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from windtunnel.config.augment.values import Fill, Interpolation
from windtunnel.config.base import Component, Flag, NonNegativeInt, PositiveReal


class RandAugment(Component):
    """A number of ops out of fourteen, all at one magnitude.

    Source: Cubuk et al. 2020, arXiv 1909.13719; ranges as in torchvision.
    """

    target: ClassVar[str] = "windtunnel.augment.automatic:RandAugment"
    name: Literal["rand_augment"] = "rand_augment"
    num_ops: Annotated[int, Field(strict=True, ge=0, le=16)] = 2
    """Ops for each image, one after the other."""
    magnitude: NonNegativeInt = 9
    """Strength of every op, one of the bins."""
    num_magnitude_bins: Annotated[int, Field(strict=True, ge=2)] = 31
    """Steps from no effect to the strongest."""
    interpolation: Interpolation = "nearest"
    """How pixels between pixels are read."""
    fill: Fill | None = None
    """Value outside the image, 0..1; ``null`` is black."""

    @model_validator(mode="after")
    def _magnitude_is_a_bin(self) -> "RandAugment":
        if self.magnitude >= self.num_magnitude_bins:
            raise ValueError(
                f"magnitude {self.magnitude} is not one of {self.num_magnitude_bins} bins, "
                f"0 to {self.num_magnitude_bins - 1}"
            )
        return self


class TrivialAugment(Component):
    """One op out of fourteen at a random magnitude.

    Source: Müller and Hutter 2021, arXiv 2103.10158; the wide ranges, as in torchvision.
    """

    target: ClassVar[str] = "windtunnel.augment.automatic:TrivialAugment"
    name: Literal["trivial_augment"] = "trivial_augment"
    num_magnitude_bins: Annotated[int, Field(strict=True, ge=2)] = 31
    """Steps from no effect to the strongest."""
    interpolation: Interpolation = "nearest"
    """How pixels between pixels are read."""
    fill: Fill | None = None
    """Value outside the image, 0..1; ``null`` is black."""


class AugMix(Component):
    """A weighted mean of the image and several short chains of ops.

    Source: Hendrycks et al. 2020, arXiv 1912.02781; ranges as in torchvision.
    """

    target: ClassVar[str] = "windtunnel.augment.automatic:AugMix"
    name: Literal["augmix"] = "augmix"
    severity: Annotated[int, Field(strict=True, ge=1, le=10)] = 3
    """Number of magnitudes drawn from, weakest first, out of ten."""
    mixture_width: Annotated[int, Field(strict=True, ge=1, le=8)] = 3
    """Chains."""
    chain_depth: Annotated[int, Field(strict=True, ge=0, le=8)] = 0
    """Ops in a chain; 0 draws one to three for each chain."""
    alpha: PositiveReal = 1.0
    """Parameter of the Dirichlet distributions the weights are drawn from."""
    all_ops: Flag = True
    """Also brightness, saturation, contrast and sharpness."""
    interpolation: Interpolation = "bilinear"
    """How pixels between pixels are read."""
    fill: Fill | None = None
    """Value outside the image, 0..1; ``null`` is black."""
