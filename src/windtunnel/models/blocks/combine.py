"""Blocks made of blocks: a chain, a highway around a chain, parallel branches. Source: S0 sections 2.4, 2.5."""

from collections.abc import Iterable
from typing import ClassVar, Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Chain(nn.Sequential):
    """Blocks one after the other."""


class Highway(nn.Module):
    """Blocks one after the other; the highway's own input is added to the result.

    Args:
        blocks: together they keep the shape.
    """

    skip: ClassVar[str] = "add"

    def __init__(self, blocks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return blocks(images) + images."""
        return cast(Tensor, self.blocks(images)) + images


class Branch(nn.Module):
    """Blocks side by side on the same input, their outputs concatenated along channels or averaged.

    Args:
        branches: at least one.
        combine: ``concat`` (S0's V1) or ``mean`` (V2; the outputs have one shape).
        norm_channels: channels of each branch's output, to put a BatchNorm on it (S0's N); empty for none.
    """

    def __init__(
        self, branches: Iterable[nn.Module], *, combine: Literal["concat", "mean"], norm_channels: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for channels in norm_channels)
        self.combine = combine

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d g v"]:
        """Return the combined outputs."""
        outputs = [branch(images) for branch in self.branches]
        if len(self.norms):
            outputs = [norm(output) for norm, output in zip(self.norms, outputs, strict=True)]
        if self.combine == "concat":
            return torch.cat(outputs, dim=1)
        total = outputs[0]
        for output in outputs[1:]:
            total = total + output
        return cast(Tensor, total / len(outputs))
