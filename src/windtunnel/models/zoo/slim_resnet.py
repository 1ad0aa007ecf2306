"""S4's slim ResNet: 4,754,218 parameters with 10 classes and 3 channels.

Source: S4 (basic blocks [4, 4, 4, 3] at widths [32, 64, 128, 256]; the report's 4.87 M is its rough formula).
The basic block is He et al. 2015 (arXiv 1512.03385), with a projection where the shape changes.
"""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from windtunnel.errors import ModelError
from windtunnel.models.blocks.activation import build_activation
from windtunnel.models.blocks.conv import conv1x1, conv3x3


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with norms; the input is added before the last activation.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        stride: of the first convolution and the projection, pixels.
        activation: name for :func:`build_activation`.
    """

    def __init__(self, *, in_channels: int, out_channels: int, activation: str, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, out_channels, stride=stride)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = conv3x3(out_channels, out_channels)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.activation = build_activation(activation, inplace=True)
        self.shortcut = (
            nn.Identity()
            if stride == 1 and in_channels == out_channels
            else nn.Sequential(
                conv1x1(in_channels, out_channels, stride=stride), nn.BatchNorm2d(out_channels)
            )
        )

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d g v"]:
        """Return act(path(images) + shortcut(images))."""
        out = self.norm2(self.conv2(self.activation(self.norm1(self.conv1(images)))))
        out += self.shortcut(images)
        return cast(Tensor, self.activation(out))


class SlimResnet(nn.Module):
    """3x3 stem, stages of basic blocks (all but the first halve the size), global average, linear head.

    Args:
        num_classes: outputs.
        in_channels: channels of the images.
        image_size: height and width, pixels; any.
        depths: blocks of each stage.
        widths: channels of each stage.
        activation: name for :func:`build_activation`.
        dropout: dropped share of the pooled features.

    Raises:
        ModelError: ``depths`` and ``widths`` differ in length.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        depths: tuple[int, ...],
        widths: tuple[int, ...],
        activation: str,
        dropout: float,
    ) -> None:
        super().__init__()
        if len(depths) != len(widths):
            raise ModelError(
                f"slim_resnet: {len(depths)} depths and {len(widths)} widths; give one of each a stage"
            )
        self.stem = nn.Sequential(
            conv3x3(in_channels, widths[0]),
            nn.BatchNorm2d(widths[0]),
            build_activation(activation, inplace=True),
        )
        sources = (widths[0], *widths[:-1])
        self.stages = nn.Sequential(
            *(
                _build_stage(source, width, depth=depth, stride=1 if index == 0 else 2, activation=activation)
                for index, (source, width, depth) in enumerate(zip(sources, widths, depths, strict=True))
            )
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], num_classes)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return the logits."""
        return cast(Tensor, self.head(self.dropout(self.stages(self.stem(images)).mean((2, 3)))))


def _build_stage(source: int, width: int, *, depth: int, stride: int, activation: str) -> nn.Sequential:
    first = BasicBlock(in_channels=source, out_channels=width, stride=stride, activation=activation)
    rest = [
        BasicBlock(in_channels=width, out_channels=width, activation=activation) for _ in range(depth - 1)
    ]
    return nn.Sequential(first, *rest)
