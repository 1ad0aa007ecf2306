"""Ops that blend the images of a batch and their labels."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from windtunnel.config.base import Component, ComponentOf, Fraction, PositiveReal

DrawnPer = Literal["batch", "image"]


class MixUp(Component):
    """Blend every image and its label with those before it in the batch.

    Source: Zhang et al. 2018, arXiv 1710.09412.
    """

    target: ClassVar[str] = "windtunnel.augment.mix:MixUp"
    name: Literal["mixup"] = "mixup"
    alpha: PositiveReal = 1.0
    """Both parameters of the Beta distribution the share is drawn from."""
    per: DrawnPer = "batch"
    """Whether a batch shares one draw, as in torchvision, or every image has its own."""
    p: Fraction = 1.0
    """Probability."""


class CutMix(Component):
    """Paste a rectangle of the image before it in the batch into every image; labels follow the areas.

    Source: Yun et al. 2019, arXiv 1905.04899.
    """

    target: ClassVar[str] = "windtunnel.augment.mix:CutMix"
    name: Literal["cutmix"] = "cutmix"
    alpha: PositiveReal = 1.0
    """Both parameters of the Beta distribution the kept area is drawn from."""
    per: DrawnPer = "batch"
    """Whether a batch shares one draw, as in torchvision, or every image has its own."""
    p: Fraction = 1.0
    """Probability."""


MixingConfig = Annotated[MixUp | CutMix, ComponentOf("mixing op")]


class MixChoice(Component):
    """One of several mixing ops for each batch, all equally likely."""

    target: ClassVar[str] = "windtunnel.augment.mix:MixChoice"
    name: Literal["mix_choice"] = "mix_choice"
    choices: Annotated[tuple[MixingConfig, ...], Field(min_length=1)] = (CutMix(), MixUp())
    """The ops to choose from."""


MIXING_OPS = (MixUp, CutMix, MixChoice)
