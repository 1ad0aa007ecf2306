"""The CIFAR ResNets of the original paper: resnet20, 32, 44, 56 and 110.

Source: He et al. 2015 (arXiv 1512.03385) section 4.2. With its parameter-free shortcuts (option A) and 10
classes: 269,722 (20), 464,154 (32), 658,586 (44), 853,018 (56) and 1,727,962 (110) parameters.
"""

from typing import Literal, cast

from jaxtyping import Float
from torch import Tensor, nn

from windtunnel.errors import ModelError
from windtunnel.models.blocks.conv import conv3x3
from windtunnel.models.blocks.heads import GlobalPool
from windtunnel.models.blocks.residual import BasicBlock
from windtunnel.models.zoo.stages import build_stages

_WIDTHS = (16, 32, 64)


class CifarResnet(nn.Module):
    """3x3 stem of 16 channels, three stages of basic blocks, global average, linear head.

    Args:
        num_classes: outputs.
        in_channels: channels of the images.
        image_size: height and width, pixels; any.
        depth: convolutions and the head on the longest path, 6 n + 2.
        shortcut: ``pad`` (option A) or ``project`` (option B) where the shape changes.

    Raises:
        ModelError: ``depth`` is not 6 n + 2.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        depth: int,
        shortcut: Literal["pad", "project"],
    ) -> None:
        super().__init__()
        blocks, rest = divmod(depth - 2, 6)
        if rest or blocks < 1:
            raise ModelError(f"cifar_resnet: depth {depth} is not 6 n + 2; use 20, 32, 44, 56 or 110")
        self.stem = nn.Sequential(conv3x3(in_channels, _WIDTHS[0]), nn.BatchNorm2d(_WIDTHS[0]), nn.ReLU(inplace=True))
        self.stages = build_stages(
            lambda source, width, stride: BasicBlock(
                in_channels=source, out_channels=width, stride=stride, activation="relu", shortcut=shortcut
            ),
            stem=_WIDTHS[0],
            widths=_WIDTHS,
            depths=(blocks,) * 3,
        )
        self.pool = GlobalPool("average")
        self.head = nn.Linear(_WIDTHS[-1], num_classes)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return the logits."""
        return cast(Tensor, self.head(self.pool(self.stages(self.stem(images)))))
