"""Plain networks: an MLP, LeNet-5 and S0's convolutional baselines."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from windtunnel.config.base import Component, Count, Counts, OpenFraction


class Mlp(Component):
    """Fully connected layers on the flattened image."""

    target: ClassVar[str] = "windtunnel.models.zoo.classic:Mlp"
    name: Literal["mlp"] = "mlp"
    widths: tuple[Count, ...] = (512, 256)
    """Units of each hidden layer."""
    dropout: OpenFraction = 0.0
    """Dropped share of each hidden layer."""


class Lenet(Component):
    """LeNet-5 (LeCun 1998) with ReLU and max pooling."""

    target: ClassVar[str] = "windtunnel.models.zoo.classic:Lenet"
    name: Literal["lenet"] = "lenet"


class Cnn(Component):
    """3x3 convolutions, a max pool after every second, average pool, linear, layer norm (S0's baseline)."""

    target: ClassVar[str] = "windtunnel.models.zoo.classic:Cnn"
    name: Literal["cnn"] = "cnn"
    widths: Counts = (32, 64, 64, 128, 128, 128)
    """Channels of each convolution; a max pool follows every second one."""
    hidden: Count = 64
    """Units of the hidden linear layer."""


CLASSIC_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "cnn_130k": {"name": "cnn", "widths": (48, 64, 64, 96)},
    "cnn_430k": {"name": "cnn"},
    "cnn_large": {"name": "cnn", "widths": (64, 128, 160, 192, 192, 256)},
}
