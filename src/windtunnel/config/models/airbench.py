"""airbench93 to airbench96. Source: Jordan 2024, "94% on CIFAR-10 in 3.29 seconds"."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from windtunnel.config.base import Component, Count, Flag, OpenFraction, PositiveReal

Width3 = tuple[Count, Count, Count]


class Airbench(Component):
    """Whitening stem, three conv groups, max pool, scaled linear head."""

    target: ClassVar[str] = "windtunnel.models.zoo.airbench:Airbench"
    name: Literal["airbench"] = "airbench"
    widths: Width3 = (64, 256, 256)
    """Channels of the three groups."""
    depth: Literal[2, 3] = 2
    """Convolutions a group; the third has a residual path around it and the second."""
    activation: Literal["gelu", "silu", "relu"] = "gelu"
    """Activation."""
    norm_momentum: OpenFraction = 0.4
    """Share of the new batch in the running statistics (torch's convention)."""
    logit_scale: PositiveReal = 1 / 9
    """Factor on the logits."""
    residual: Flag = False
    """S1's path around each group: the pooled input through a 1x1 convolution, before the last activation."""


AIRBENCH_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "airbench93": {"name": "airbench", "widths": (64, 128, 128)},
    "airbench94": {"name": "airbench", "widths": (64, 256, 256)},
    "airbench94_residual": {"name": "airbench", "widths": (64, 256, 256), "residual": True},
    "airbench95": {"name": "airbench", "widths": (128, 384, 384)},
    "airbench96": {"name": "airbench", "widths": (128, 384, 512), "depth": 3, "norm_momentum": 0.1},
}
