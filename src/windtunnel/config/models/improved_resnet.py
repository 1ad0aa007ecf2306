"""S3's ImprovedResNet: 4,903,082 parameters with 10 classes and 3 channels."""

from typing import ClassVar, Literal

from windtunnel.config.base import Component, Count, Counts, OpenFraction
from windtunnel.config.models.activation import ActivationName


class ImprovedResnet(Component):
    """Bottlenecks in three stages behind a 3x3 stem, with dropout behind each stage."""

    target: ClassVar[str] = "windtunnel.models.zoo.improved_resnet:ImprovedResnet"
    name: Literal["improved_resnet"] = "improved_resnet"
    stem: Count = 32
    """Channels of the stem."""
    depths: Counts = (3, 3, 3)
    """Blocks of each stage."""
    widths: Counts = (64, 128, 256)
    """Channels of each stage's 3x3 convolutions; four times as many leave the stage."""
    activation: ActivationName = "leaky_relu"
    """Activation."""
    dropout: OpenFraction = 0.2
    """Dropped share behind each stage; S3 found 0.1 to 0.3 good and above 0.5 harmful."""
