"""Convolution, norm and activation in the orders networks use them."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from windtunnel.models.blocks.activation import build_activation


def conv3x3(in_channels: int, out_channels: int, *, stride: int = 1) -> nn.Conv2d:
    """Return a 3x3 convolution that keeps the size at stride 1, without bias."""
    return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)


def conv1x1(in_channels: int, out_channels: int, *, stride: int = 1) -> nn.Conv2d:
    """Return a 1x1 convolution without bias."""
    return nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)


class ConvNormAct(nn.Module):
    """Convolution (same size at stride 1, no bias), BatchNorm, activation, optional max pool.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: side of the filter, odd.
        stride: step of the filter, pixels.
        activation: name for :func:`build_activation`.
        pool: side and stride of a max pool at the end; 1 pools nothing.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        activation: str = "relu",
        pool: int = 1,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2, bias=False
        )
        self.norm = nn.BatchNorm2d(out_channels)
        self.activation = build_activation(activation, inplace=True)
        self.pool = nn.MaxPool2d(pool) if pool > 1 else nn.Identity()

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d g v"]:
        """Return pooled act(norm(conv(images)))."""
        return cast(Tensor, self.pool(self.activation(self.norm(self.conv(images)))))
