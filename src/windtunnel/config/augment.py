"""Augmentation ops and named policies. Semantics per op: ``windtunnel.augment``."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from windtunnel.config.base import Component, ComponentOf, Count, Fraction, NonNegativeInt
from windtunnel.registry import suggest


class RandomCrop(Component):
    """Pad every side, then cut the image's own size out at a random place, per image."""

    target: ClassVar[str] = "windtunnel.augment.crop:RandomCrop"
    name: Literal["random_crop"] = "random_crop"
    padding: Count = 4
    """Pixels added on every side."""
    mode: Literal["zero", "reflect", "replicate"] = "zero"
    """What the added pixels hold; ``zero`` is black, as in torchvision."""


class HorizontalFlip(Component):
    """Mirror left and right with probability ``p``, per image."""

    target: ClassVar[str] = "windtunnel.augment.flip:HorizontalFlip"
    name: Literal["horizontal_flip"] = "horizontal_flip"
    p: Fraction = 0.5
    """Probability."""


class AlternatingFlip(Component):
    """Flip half the images in epoch 0, then every image in turn: each view is seen every second epoch.

    Source: airbench (Jordan 2024).
    """

    target: ClassVar[str] = "windtunnel.augment.flip:AlternatingFlip"
    name: Literal["alternating_flip"] = "alternating_flip"


class Cutout(Component):
    """Set one square, fully inside the image, to the data set's mean, per image."""

    target: ClassVar[str] = "windtunnel.augment.erase:Cutout"
    name: Literal["cutout"] = "cutout"
    size: NonNegativeInt = 8
    """Side of the square, pixels."""


OpConfig = Annotated[RandomCrop | HorizontalFlip | AlternatingFlip | Cutout, ComponentOf("augmentation op")]

POLICIES: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "none": (),
    "crop_flip": ({"name": "random_crop", "padding": 4}, {"name": "horizontal_flip"}),
    "airbench": ({"name": "alternating_flip"}, {"name": "random_crop", "padding": 2, "mode": "reflect"}),
}


def _expand_policy(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value not in POLICIES:
        near = suggest(value, POLICIES)
        hint = f"; did you mean {near!r}?" if near else ";"
        known = ", ".join(POLICIES)
        raise PydanticCustomError(
            "policy_name", "there is no augmentation policy {name}{hint} known: {known}, or a list of ops",
            {"name": repr(value), "hint": hint, "known": known},
        )
    return POLICIES[value]


AugmentConfig = Annotated[tuple[OpConfig, ...], BeforeValidator(_expand_policy)]
