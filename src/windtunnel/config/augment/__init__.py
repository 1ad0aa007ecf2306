"""Augmentation ops and named policies. Semantics per op: ``windtunnel.augment``."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

from windtunnel.config.augment.automatic import AugMix, RandAugment, TrivialAugment
from windtunnel.config.augment.colour import (
    AutoContrast,
    ColorJitter,
    Equalize,
    GaussianBlur,
    Grayscale,
    Invert,
    Posterize,
    Sharpness,
    Solarize,
)
from windtunnel.config.augment.erasing import Cutout, Erasing
from windtunnel.config.augment.geometry import (
    Affine,
    AlternatingFlip,
    HorizontalFlip,
    Perspective,
    RandomCrop,
    ResizedCrop,
    Rotation,
    VerticalFlip,
)
from windtunnel.config.augment.mixing import MIXING_OPS, CutMix, MixChoice, MixUp
from windtunnel.config.augment.policies import POLICIES
from windtunnel.config.base import Component, ComponentOf
from windtunnel.registry import suggest

OPS: tuple[type[Component], ...] = (
    Affine, AlternatingFlip, AugMix, AutoContrast, ColorJitter, CutMix, Cutout, Equalize, Erasing, GaussianBlur,
    Grayscale, HorizontalFlip, Invert, MixChoice, MixUp, Perspective, Posterize, RandAugment, RandomCrop,
    ResizedCrop, Rotation, Sharpness, Solarize, TrivialAugment, VerticalFlip,
)  # fmt: skip

OpConfig = Annotated[
    Affine
    | AlternatingFlip
    | AugMix
    | AutoContrast
    | ColorJitter
    | CutMix
    | Cutout
    | Equalize
    | Erasing
    | GaussianBlur
    | Grayscale
    | HorizontalFlip
    | Invert
    | MixChoice
    | MixUp
    | Perspective
    | Posterize
    | RandAugment
    | RandomCrop
    | ResizedCrop
    | Rotation
    | Sharpness
    | Solarize
    | TrivialAugment
    | VerticalFlip,
    ComponentOf("augmentation op"),
]


def _expand_policy(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value not in POLICIES:
        near = suggest(value, POLICIES)
        hint = f"; did you mean {near!r}?" if near else ";"
        known = ", ".join(POLICIES)
        raise PydanticCustomError(
            "policy_name",
            "there is no augmentation policy {name}{hint} known: {known}, or a list of ops",
            {"name": repr(value), "hint": hint, "known": known},
        )
    return POLICIES[value]


def _agree(ops: tuple[Component, ...]) -> tuple[Component, ...]:
    mixing = [index for index, op in enumerate(ops) if isinstance(op, MIXING_OPS)]
    if len(mixing) > 1:
        raise PydanticCustomError(
            "policy_mixing", "holds several mixing ops; one of them per batch is a mix_choice of both"
        )
    if mixing and mixing[0] != len(ops) - 1:
        raise PydanticCustomError("policy_mixing", "the mixing op works on finished images, so it comes last")
    names = {op.name for op in ops}
    if {"alternating_flip", "horizontal_flip"} <= names:
        raise PydanticCustomError(
            "policy_flips", "a horizontal_flip undoes the turns of alternating_flip; keep one of them"
        )
    return ops


AugmentConfig = Annotated[tuple[OpConfig, ...], BeforeValidator(_expand_policy), AfterValidator(_agree)]

__all__ = [
    "MIXING_OPS", "OPS", "POLICIES", "Affine", "AlternatingFlip", "AugMix", "AugmentConfig", "AutoContrast",
    "ColorJitter", "CutMix", "Cutout", "Equalize", "Erasing", "GaussianBlur", "Grayscale", "HorizontalFlip",
    "Invert", "MixChoice", "MixUp", "OpConfig", "Perspective", "Posterize", "RandAugment", "RandomCrop",
    "ResizedCrop", "Rotation", "Sharpness", "Solarize", "TrivialAugment", "VerticalFlip",
]  # fmt: skip
