"""ConvNeXt for small images.

Source: Liu et al. 2022 (arXiv 2201.03545); the atto size (depths 2, 2, 6, 2, widths 40 to 320) is timm's, 3.7 M
parameters with its 4x4 patches and 1,000 classes. Deliberate deviation: patches of 2x2 by default, so that 32 px
leave a 2x2 map and not a single pixel.
"""

from typing import ClassVar, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from windtunnel.errors import ModelError
from windtunnel.models.blocks.heads import GlobalPool
from windtunnel.models.blocks.stochastic_depth import StochasticDepth, rising_rates

_EPSILON = 1e-6
_LAYER_SCALE = 1e-6
_WEIGHT_STD = 0.02


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each pixel; with channels-last memory nothing is copied.

    Args:
        channels: channels of the images.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=_EPSILON)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return the normalised images."""
        return super().forward(images.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNextBlock(nn.Module):
    """Depthwise 7x7, norm over channels, two linear layers with GELU, learnt scale; the input is added.

    Args:
        channels: channels of input and output.
        drop_path: probability of dropping the path.
    """

    skip: ClassVar[str] = "add"

    def __init__(self, *, channels: int, drop_path: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=_EPSILON)
        self.widen = nn.Linear(channels, 4 * channels)
        self.activation = nn.GELU()
        self.narrow = nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), _LAYER_SCALE))
        self.drop_path = StochasticDepth(drop_path) if drop_path > 0 else nn.Identity()

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return path(images) + images."""
        pixels = self.norm(self.depthwise(images).permute(0, 2, 3, 1))
        path = self.scale * self.narrow(self.activation(self.widen(pixels)))
        return images + cast(Tensor, self.drop_path(path.permute(0, 3, 1, 2)))


class Convnext(nn.Module):
    """Patch stem, stages of ConvNeXt blocks with 2x2 convolutions between, global average, norm, linear head.

    Args:
        num_classes: outputs.
        in_channels: channels of the images.
        image_size: height and width, pixels, at least ``8 * patch_size``.
        depths: blocks of each stage.
        widths: channels of each stage.
        patch_size: side of the stem's patches, pixels.
        drop_path: probability of dropping the last block's path; falls linearly to 0 at the first.

    Raises:
        ModelError: the images are too small, or ``depths`` and ``widths`` differ in length.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        depths: tuple[int, ...],
        widths: tuple[int, ...],
        patch_size: int,
        drop_path: float,
    ) -> None:
        super().__init__()
        _check_plan(image_size, depths, widths, patch_size)
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, widths[0], patch_size, stride=patch_size), ChannelNorm(widths[0])
        )
        rates = iter(rising_rates(drop_path, sum(depths)))
        parts: list[nn.Module] = []
        for index, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            if index:
                halve = nn.Conv2d(widths[index - 1], width, 2, stride=2)
                parts.append(nn.Sequential(ChannelNorm(widths[index - 1]), halve))
            parts.extend(ConvNextBlock(channels=width, drop_path=next(rates)) for _ in range(depth))
        self.layers = nn.Sequential(*parts)
        self.pool = GlobalPool("average")
        self.norm = nn.LayerNorm(widths[-1], eps=_EPSILON)
        self.head = nn.Linear(widths[-1], num_classes)
        self.apply(_initialise)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return the logits."""
        return cast(Tensor, self.head(self.norm(self.pool(self.layers(self.stem(images))))))


def _check_plan(image_size: tuple[int, int], depths: tuple[int, ...], widths: tuple[int, ...], patch_size: int) -> None:
    if len(depths) != len(widths) or not depths:
        raise ModelError(
            f"convnext: {len(depths)} depths and {len(widths)} widths do not fit; give one of each a stage"
        )
    smallest = patch_size * 2 ** (len(depths) - 1)
    if min(image_size) < smallest:
        raise ModelError(
            f"convnext with {patch_size}x{patch_size} patches and {len(depths)} stages needs images of at least "
            f"{smallest}x{smallest} pixels, not {image_size}; use a smaller patch_size"
        )


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.trunc_normal_(module.weight, std=_WEIGHT_STD)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
