"""Funnel: airbench's network, narrow where its maps are large and wide where they are small.

A convolution in front of a 2x2 pool costs four times one behind it, so the first of each pair is narrow and the second
widens. Stem, groups, norms, start weights and head are airbench's (Jordan 2024, arXiv 2404.00498); that early layers
may be narrow is known from the CIFAR-100 speedrun (AIDDA-Institute, NAVIER-STOKED). Images may be shrunk by the network
itself, in training and in use alike, so that no resolution is met in use that was not trained on.
"""

from collections.abc import Sequence
from typing import cast

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from windtunnel.errors import ModelError
from windtunnel.models.blocks.activation import build_activation
from windtunnel.models.blocks.conv_group import BiasNorm, DiracConv
from windtunnel.models.blocks.heads import GlobalPool
from windtunnel.models.blocks.whiten import WhiteningStem


class FunnelGroup(nn.Module):
    """Narrow convolution, 2x2 max pool, norm, activation, widening convolution, norm, activation.

    With ``depth`` 3 another convolution follows, with norm and a residual path around it.

    Args:
        in_channels: channels of the input.
        widths: channels in front of the pool and behind it.
        depth: convolutions, 2 or 3.
        activation: name for :func:`build_activation`.
        norm_momentum: see :class:`BiasNorm`.
    """

    def __init__(
        self, *, in_channels: int, widths: tuple[int, int], depth: int, activation: str, norm_momentum: float
    ) -> None:
        super().__init__()
        narrow, wide = widths
        self.conv1 = DiracConv(in_channels, narrow)
        self.pool = nn.MaxPool2d(2)
        self.norm1 = BiasNorm(narrow, momentum=norm_momentum)
        self.conv2 = DiracConv(narrow, wide)
        self.norm2 = BiasNorm(wide, momentum=norm_momentum)
        self.conv3 = DiracConv(wide, wide) if depth == 3 else None
        self.norm3 = BiasNorm(wide, momentum=norm_momentum) if depth == 3 else None
        self.activation = build_activation(activation, inplace=True)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d g v"]:
        """Return the group's output at half the height and width, rounded down."""
        out = self.activation(self.norm1(self.pool(self.conv1(images))))
        out = self.activation(self.norm2(self.conv2(out)))
        if self.conv3 is not None and self.norm3 is not None:
            out = self.activation(self.norm3(self.conv3(out)) + out)
        return cast(Tensor, out)


class Funnel(nn.Module):
    """Whitening stem, groups that widen, global pool, scaled linear head.

    Args:
        num_classes: outputs.
        in_channels: channels of the images.
        image_size: height and width, pixels.
        widths: of each group, channels in front of its pool and behind it.
        depth: convolutions a group, 2 or 3.
        activation: activation of stem and groups.
        norm_momentum: share of the new batch in the running statistics.
        pool: ``max`` or ``average``.
        logit_scale: factor on the logits.
        input_size: larger images are shrunk to this height and width, pixels; None takes them as they are.

    Raises:
        ModelError: the images are too small for so many groups.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        widths: Sequence[tuple[int, int]],
        depth: int,
        activation: str,
        norm_momentum: float,
        pool: str,
        logit_scale: float,
        input_size: int | None,
    ) -> None:
        super().__init__()
        least = 2 ** len(widths) + 1  # the stem costs a pixel, each group halves
        seen = min(*image_size, input_size or image_size[0])
        if seen < least:
            raise ModelError(f"funnel of {len(widths)} groups needs images of at least {least}x{least}, not {seen}")
        self.input_size = input_size
        self.whiten = WhiteningStem(in_channels=in_channels)
        self.activation = build_activation(activation, inplace=True)
        sources = (self.whiten.out_channels, *(wide for _, wide in widths[:-1]))
        self.groups = nn.Sequential(
            *(
                FunnelGroup(
                    in_channels=source, widths=pair, depth=depth, activation=activation, norm_momentum=norm_momentum
                )
                for source, pair in zip(sources, widths, strict=True)
            )
        )
        self.pool = GlobalPool("max" if pool == "max" else "average")
        self.head = nn.Linear(widths[-1][1], num_classes, bias=False)
        self.logit_scale = logit_scale

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return the scaled logits."""
        features = self.groups(self.activation(self.whiten(self._shrunk(images))))
        return cast(Tensor, self.head(self.pool(features))) * self.logit_scale

    def initialise_from(self, images: Float[Tensor, "n c h w"]) -> None:
        """Set the whitening filters from normalised training images."""
        self.whiten.initialise_from(self._shrunk(images))

    def _shrunk(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c g v"]:
        size = self.input_size
        if size is None or max(images.shape[-2:]) <= size:
            return images
        return F.interpolate(images, (size, size), mode="bilinear", antialias=True)
