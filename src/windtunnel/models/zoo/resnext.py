"""ResNeXt-29 for small images.

Source: Xie et al. 2016 (arXiv 1611.05431) section 5.3. With 10 classes: 34,426,698 parameters at 8x64d and
68,155,210 at 16x64d (the paper's 34.4 M and 68.1 M); 4,775,754 at 32x4d.
"""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from windtunnel.errors import ModelError
from windtunnel.models.blocks.conv import conv3x3
from windtunnel.models.blocks.heads import GlobalPool
from windtunnel.models.blocks.residual import WideningBottleneck
from windtunnel.models.zoo.stages import build_stages

_OUTPUTS = (256, 512, 1024)


class Resnext(nn.Module):
    """3x3 stem of 64 channels, three stages of grouped bottlenecks, global average, linear head.

    Args:
        num_classes: outputs.
        in_channels: channels of the images.
        image_size: height and width, pixels; any.
        depth: convolutions and the head on the longest path, 9 n + 2.
        cardinality: groups of the 3x3 convolutions.
        group_width: channels of each group in the first stage; doubles from stage to stage.

    Raises:
        ModelError: ``depth`` is not 9 n + 2.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        depth: int,
        cardinality: int,
        group_width: int,
    ) -> None:
        super().__init__()
        blocks, rest = divmod(depth - 2, 9)
        if rest or blocks < 1:
            raise ModelError(f"resnext: depth {depth} is not 9 n + 2; use 11, 20, 29 or 38")
        self.stem = nn.Sequential(conv3x3(in_channels, 64), nn.BatchNorm2d(64), nn.ReLU(inplace=True))
        self.stages = build_stages(
            lambda source, out, stride: WideningBottleneck(
                in_channels=source,
                out_channels=out,
                stride=stride,
                width=cardinality * group_width * out // _OUTPUTS[0],
                groups=cardinality,
                activation="relu",
            ),
            stem=64,
            widths=_OUTPUTS,
            depths=(blocks,) * 3,
        )
        self.pool = GlobalPool("average")
        self.head = nn.Linear(_OUTPUTS[-1], num_classes)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return the logits."""
        return cast(Tensor, self.head(self.pool(self.stages(self.stem(images)))))
