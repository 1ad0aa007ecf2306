"""ResNets: ResNet-18 with torchvision's keys, pre-activation, CIFAR, wide and ResNeXt."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import model_validator

from windtunnel.config.base import Component, Count, Counts, Flag, OpenFraction, Text
from windtunnel.config.models.activation import ActivationName


class Resnet18(Component):
    """ResNet-18 with torchvision's state-dict keys (S2)."""

    target: ClassVar[str] = "windtunnel.models.pretrained:build_resnet18"
    name: Literal["resnet18"] = "resnet18"
    stem: Literal["imagenet", "cifar"] = "imagenet"
    """7x7 convolution of stride 2 and a max pool, or a 3x3 convolution."""
    upsample: Count | None = None
    """Resize images to this side first, pixels."""
    pretrained: Flag = False
    """Start from torchvision's ImageNet weights, fetched from the Hugging Face hub once and kept."""
    weights: Text | None = None
    """Start from this safetensors file instead."""

    @model_validator(mode="after")
    def _one_origin(self) -> "Resnet18":
        if self.pretrained and self.weights is not None:
            raise ValueError("pretrained and weights are two origins of the weights; give one")
        return self


class PreactResnet(Component):
    """Pre-activation basic blocks behind a 3x3 stem; the defaults are PreAct ResNet-18 (S2)."""

    target: ClassVar[str] = "windtunnel.models.zoo.preact_resnet:PreactResnet"
    name: Literal["preact_resnet"] = "preact_resnet"
    stem: Count = 64
    """Channels of the stem."""
    depths: Counts = (2, 2, 2, 2)
    """Blocks of each stage."""
    widths: Counts = (64, 128, 256, 512)
    """Channels of each stage."""
    activation: ActivationName = "relu"
    """Activation."""
    dropout: OpenFraction = 0.0
    """Dropped share between a block's convolutions."""


class WideResnet(Component):
    """Wide ResNet WRN-depth-factor."""

    target: ClassVar[str] = "windtunnel.models.zoo.preact_resnet:build_wide_resnet"
    name: Literal["wide_resnet"] = "wide_resnet"
    depth: Count = 28
    """Convolutions on the longest path, 6 n + 4."""
    factor: Count = 10
    """Times the widths 16, 32, 64."""
    dropout: OpenFraction = 0.0
    """Dropped share between a block's convolutions."""


class CifarResnet(Component):
    """The original paper's CIFAR ResNets."""

    target: ClassVar[str] = "windtunnel.models.zoo.cifar_resnet:CifarResnet"
    name: Literal["cifar_resnet"] = "cifar_resnet"
    depth: Count = 20
    """Convolutions and the head on the longest path, 6 n + 2."""
    shortcut: Literal["pad", "project"] = "pad"
    """Where the shape changes: thinning and zero channels (option A), or 1x1 convolutions (option B)."""


class Resnext(Component):
    """ResNeXt with three stages for small images."""

    target: ClassVar[str] = "windtunnel.models.zoo.resnext:Resnext"
    name: Literal["resnext"] = "resnext"
    depth: Count = 29
    """Convolutions and the head on the longest path, 9 n + 2."""
    cardinality: Count = 8
    """Groups of the 3x3 convolutions."""
    group_width: Count = 64
    """Channels of each group in the first stage."""


RESNET_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "preact_resnet18": {"name": "preact_resnet"},
    **{f"resnet{depth}": {"name": "cifar_resnet", "depth": depth} for depth in (20, 32, 44, 56, 110)},
    "wide_resnet_16_8": {"name": "wide_resnet", "depth": 16, "factor": 8},
    "wide_resnet_28_10": {"name": "wide_resnet", "depth": 28, "factor": 10},
    "resnext29_32x4d": {"name": "resnext", "cardinality": 32, "group_width": 4},
    "resnext29_8x64d": {"name": "resnext", "cardinality": 8, "group_width": 64},
}
