"""DenseNet-BC for small images.

Source: Huang et al. 2016 (arXiv 1608.06993) section 3. With 10 classes: 769,162 parameters at depth 100 and
growth 12 (the paper's 0.8 M), 176,122 at depth 40.
"""

from typing import ClassVar, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from windtunnel.errors import ModelError
from windtunnel.models.blocks.conv import conv1x1, conv3x3
from windtunnel.models.blocks.heads import GlobalPool

_BOTTLENECK = 4  # a layer's 1x1 convolution has this many times the growth


class DenseLayer(nn.Module):
    """Norm, ReLU, 1x1, norm, ReLU, 3x3; the result is concatenated to the input.

    Args:
        in_channels: channels of the input.
        growth: channels added.
    """

    skip: ClassVar[str] = "append"

    def __init__(self, *, in_channels: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = conv1x1(in_channels, _BOTTLENECK * growth)
        self.norm2 = nn.BatchNorm2d(_BOTTLENECK * growth)
        self.conv2 = conv3x3(_BOTTLENECK * growth, growth)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Return the input with ``growth`` more channels."""
        new = self.conv1(self.activation(self.norm1(images)))
        new = self.conv2(self.activation(self.norm2(new)))
        return torch.cat([images, new], dim=1)


class Transition(nn.Sequential):
    """Norm, ReLU, 1x1 convolution to half the channels, 2x2 mean.

    Args:
        in_channels: channels of the input.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__(
            nn.BatchNorm2d(in_channels),
            nn.ReLU(inplace=True),
            conv1x1(in_channels, in_channels // 2),
            nn.AvgPool2d(2),
        )


class Densenet(nn.Module):
    """3x3 stem, three dense blocks with transitions between, norm, ReLU, global average, linear head.

    Args:
        num_classes: outputs.
        in_channels: channels of the images.
        image_size: height and width, pixels, at least 4.
        depth: convolutions and the head on the longest path, 6 n + 4.
        growth: channels a layer adds.

    Raises:
        ModelError: ``depth`` is not 6 n + 4, or the images are too small.
    """

    def __init__(
        self, *, num_classes: int, in_channels: int, image_size: tuple[int, int], depth: int, growth: int
    ) -> None:
        super().__init__()
        layers, rest = divmod(depth - 4, 6)
        if rest or layers < 1:
            raise ModelError(f"densenet_bc: depth {depth} is not 6 n + 4; use 40, 100, 190 or 250")
        if min(image_size) < 4:
            raise ModelError(f"densenet_bc needs images of at least 4x4 pixels, not {image_size}")
        channels = 2 * growth
        self.stem = conv3x3(in_channels, channels)
        parts: list[nn.Module] = []
        for index in range(3):
            for _ in range(layers):
                parts.append(DenseLayer(in_channels=channels, growth=growth))
                channels += growth
            if index < 2:
                parts.append(Transition(channels))
                channels //= 2
        self.layers = nn.Sequential(*parts)
        self.norm = nn.BatchNorm2d(channels)
        self.activation = nn.ReLU(inplace=True)
        self.pool = GlobalPool("average")
        self.head = nn.Linear(channels, num_classes)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return the logits."""
        out = self.activation(self.norm(self.layers(self.stem(images))))
        return cast(Tensor, self.head(self.pool(out)))
