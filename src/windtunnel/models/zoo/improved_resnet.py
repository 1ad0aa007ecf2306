"""S3's ImprovedResNet: 4,903,082 parameters with 10 classes and 3 channels.

Source: S3 (its figure 1 and the count, which three bottlenecks a stage meet exactly).
"""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from windtunnel.models.blocks.activation import build_activation
from windtunnel.models.blocks.conv import conv3x3
from windtunnel.models.blocks.heads import GlobalPool
from windtunnel.models.blocks.residual import WideningBottleneck
from windtunnel.models.zoo.stages import build_stages

_EXPANSION = 4


class ImprovedResnet(nn.Module):
    """3x3 stem, stages of bottlenecks with dropout behind each stage, global average, linear head.

    Args:
        num_classes: outputs.
        in_channels: channels of the images.
        image_size: height and width, pixels; any.
        stem: channels of the stem.
        depths: blocks of each stage.
        widths: channels of each stage's 3x3 convolutions; four times as many leave the stage.
        activation: name for :func:`build_activation`.
        dropout: dropped share behind each stage.

    Raises:
        ModelError: ``depths`` and ``widths`` differ in length.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        stem: int,
        depths: tuple[int, ...],
        widths: tuple[int, ...],
        activation: str,
        dropout: float,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            conv3x3(in_channels, stem), nn.BatchNorm2d(stem), build_activation(activation, inplace=True)
        )
        outputs = tuple(_EXPANSION * width for width in widths)
        self.stages = build_stages(
            lambda source, out, stride: WideningBottleneck(
                in_channels=source,
                width=out // _EXPANSION,
                out_channels=out,
                stride=stride,
                groups=1,
                activation=activation,
            ),
            stem=stem,
            widths=outputs,
            depths=depths,
        )
        if dropout > 0:
            for stage in self.stages:
                cast(nn.Sequential, stage).append(nn.Dropout(dropout))
        self.pool = GlobalPool("average")
        self.head = nn.Linear(outputs[-1], num_classes)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return the logits."""
        return cast(Tensor, self.head(self.pool(self.stages(self.stem(images)))))
