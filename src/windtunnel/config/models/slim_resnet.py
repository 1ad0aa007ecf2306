"""S4's slim ResNet: 4,754,218 parameters with 10 classes and 3 channels."""

from typing import ClassVar, Literal

from windtunnel.config.base import Component, Counts, OpenFraction
from windtunnel.config.models.activation import ActivationName


class SlimResnet(Component):
    """Basic blocks in four stages behind a 3x3 stem."""

    target: ClassVar[str] = "windtunnel.models.zoo.slim_resnet:SlimResnet"
    name: Literal["slim_resnet"] = "slim_resnet"
    depths: Counts = (4, 4, 4, 3)
    """Blocks of each stage."""
    widths: Counts = (32, 64, 128, 256)
    """Channels of each stage."""
    activation: ActivationName = "relu"
    """Activation."""
    dropout: OpenFraction = 0.0
    """Dropped share of the pooled features."""
