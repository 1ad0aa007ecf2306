"""Funnels: narrow where maps are large, wide where they are small."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from windtunnel.config.base import Component, Count, OpenFraction, PositiveReal

Pair = tuple[Count, Count]


class Funnel(Component):
    """airbench's network with narrow convolutions in front of each pool, and its own size of image."""

    target: ClassVar[str] = "windtunnel.models.zoo.funnel:Funnel"
    name: Literal["funnel"] = "funnel"
    widths: Annotated[tuple[Pair, ...], Field(min_length=1)] = ((32, 64), (128, 256), (256, 384))
    """Of each group: channels of the convolution in front of its pool, channels behind it."""
    depth: Literal[2, 3] = 2
    """Convolutions a group; the third has a residual path around it."""
    activation: Literal["gelu", "silu", "relu"] = "silu"
    """Activation."""
    norm_momentum: OpenFraction = 0.4
    """Share of the new batch in the running statistics (torch's convention)."""
    pool: Literal["max", "average"] = "max"
    """From maps to features."""
    logit_scale: PositiveReal = 1 / 9
    """Factor on the logits."""
    input_size: Count | None = None
    """Larger images are shrunk to this height and width first, pixels; ``null`` takes them as they are."""
