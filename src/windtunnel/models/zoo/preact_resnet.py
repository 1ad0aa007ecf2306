"""Pre-activation ResNets for small images, wide ones included.

Sources: He et al. 2016, "Identity mappings" (arXiv 1603.05027); Zagoruyko and Komodakis 2016 (arXiv 1605.07146),
36,479,194 parameters for WRN-28-10 and 10,961,370 for WRN-16-8 with 10 classes. ``preact_resnet18`` has the
paper's norm in front of the pool, so 1,024 parameters more than the 11,171,146 of the common PyTorch copy
without it.
"""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from windtunnel.errors import ModelError
from windtunnel.models.blocks.activation import build_activation
from windtunnel.models.blocks.conv import conv3x3
from windtunnel.models.blocks.heads import GlobalPool
from windtunnel.models.blocks.residual import PreActResidual
from windtunnel.models.zoo.stages import build_stages


class PreactResnet(nn.Module):
    """3x3 stem, stages of pre-activation blocks, norm, activation, global average, linear head.

    Args:
        num_classes: outputs.
        in_channels: channels of the images.
        image_size: height and width, pixels; any.
        stem: channels of the stem.
        depths: blocks of each stage.
        widths: channels of each stage.
        activation: name for :func:`build_activation`.
        dropout: dropped share between a block's convolutions.

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
        self.stem = conv3x3(in_channels, stem)
        self.stages = build_stages(
            lambda source, width, stride: PreActResidual(
                in_channels=source, out_channels=width, stride=stride, activation=activation, dropout=dropout
            ),
            stem=stem,
            widths=widths,
            depths=depths,
        )
        self.norm = nn.BatchNorm2d(widths[-1])
        self.activation = build_activation(activation, inplace=True)
        self.pool = GlobalPool("average")
        self.head = nn.Linear(widths[-1], num_classes)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return the logits."""
        out = self.activation(self.norm(self.stages(self.stem(images))))
        return cast(Tensor, self.head(self.pool(out)))


def build_wide_resnet(
    *,
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    depth: int,
    factor: int,
    dropout: float,
) -> PreactResnet:
    """Return the wide ResNet WRN-``depth``-``factor``.

    Args:
        num_classes: outputs.
        in_channels: channels of the images.
        image_size: height and width, pixels; any.
        depth: convolutions on the longest path, 6 n + 4.
        factor: times the widths 16, 32, 64.
        dropout: dropped share between a block's convolutions.

    Raises:
        ModelError: ``depth`` is not 6 n + 4.

    """
    blocks, rest = divmod(depth - 4, 6)
    if rest or blocks < 1:
        raise ModelError(f"wide_resnet: depth {depth} is not 6 n + 4; use 10, 16, 22, 28, 34 or 40")
    return PreactResnet(
        num_classes=num_classes,
        in_channels=in_channels,
        image_size=image_size,
        stem=16,
        depths=(blocks,) * 3,
        widths=(16 * factor, 32 * factor, 64 * factor),
        activation="relu",
        dropout=dropout,
    )
