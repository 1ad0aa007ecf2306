"""S4's slim ResNet: 4,754,218 parameters with 10 classes and 3 channels.

Source: S4 (basic blocks [4, 4, 4, 3] at widths [32, 64, 128, 256]; the report's 4.87 M is its rough formula).
The basic block is He et al. 2015 (arXiv 1512.03385), with a projection where the shape changes.
"""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from windtunnel.models.blocks.activation import build_activation
from windtunnel.models.blocks.conv import conv3x3
from windtunnel.models.blocks.heads import GlobalPool
from windtunnel.models.blocks.residual import BasicBlock
from windtunnel.models.zoo.stages import build_stages


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
        self.stem = nn.Sequential(
            conv3x3(in_channels, widths[0]),
            nn.BatchNorm2d(widths[0]),
            build_activation(activation, inplace=True),
        )
        self.stages = build_stages(
            lambda source, width, stride: BasicBlock(
                in_channels=source, out_channels=width, stride=stride, activation=activation
            ),
            stem=widths[0],
            widths=widths,
            depths=depths,
        )
        self.pool = GlobalPool("average")
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()
        self.head = nn.Linear(widths[-1], num_classes)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return the logits."""
        return cast(Tensor, self.head(self.dropout(self.pool(self.stages(self.stem(images))))))
