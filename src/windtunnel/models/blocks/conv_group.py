"""airbench's conv group, plain and with S1's residual path.

Sources: Jordan 2024 (airbench94, airbench96); S1 change 2 for the residual path.
"""

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from windtunnel.models.blocks.activation import build_activation
from windtunnel.models.blocks.conv import conv1x1


class BiasNorm(nn.BatchNorm2d):
    """BatchNorm whose scale stays 1, so that only its bias trains.

    Args:
        channels: channels of the images.
        momentum: share of the new batch in the running statistics (torch's convention).
        epsilon: added to the variance.
    """

    def __init__(self, channels: int, *, momentum: float, epsilon: float = 1e-12) -> None:
        super().__init__(channels, eps=epsilon, momentum=momentum)
        self.weight.requires_grad_(False)


class DiracConv(nn.Conv2d):
    """Same-size 3x3 convolution without bias that starts by passing its input through.

    The first ``min(in_channels, out_channels)`` outputs are the inputs; the others start as torch's default.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding="same", bias=False)

    def reset_parameters(self) -> None:
        """Draw the default initialisation, then overwrite the leading filters with identities."""
        super().reset_parameters()
        passed = torch.arange(min(self.in_channels, self.out_channels))
        with torch.no_grad():
            self.weight[passed] = 0
            self.weight[passed, passed, 1, 1] = 1


class ConvGroup(nn.Module):
    """Convolution, 2x2 max pool, norm, activation, then one or two more convolutions at the smaller size.

    With ``depth`` 3 the first activation is added before the last one (airbench96). With ``residual`` the
    output is S1's ``act(conv_path(x) + downsample(pool(x)))``, where the conv path ends with its norm.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        depth: convolutions, 2 or 3.
        activation: name for :func:`build_activation`.
        norm_momentum: see :class:`BiasNorm`.
        residual: add S1's path.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        depth: int,
        activation: str,
        norm_momentum: float,
        residual: bool,
    ) -> None:
        super().__init__()
        self.conv1 = DiracConv(in_channels, out_channels)
        self.pool = nn.MaxPool2d(2)
        self.norm1 = BiasNorm(out_channels, momentum=norm_momentum)
        self.conv2 = DiracConv(out_channels, out_channels)
        self.norm2 = BiasNorm(out_channels, momentum=norm_momentum)
        self.conv3 = DiracConv(out_channels, out_channels) if depth == 3 else None
        self.norm3 = BiasNorm(out_channels, momentum=norm_momentum) if depth == 3 else None
        self.downsample = nn.Sequential(nn.MaxPool2d(2), conv1x1(in_channels, out_channels)) if residual else None
        self.skip = "add_then_activate" if residual else None
        self.note = "first activation added before the last" if depth == 3 else ""
        self.activation = build_activation(activation, inplace=True)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d g v"]:
        """Return the group's output at half the height and width, rounded down."""
        first = self.activation(self.norm1(self.pool(self.conv1(images))))
        out = self.norm2(self.conv2(first))
        if self.conv3 is not None and self.norm3 is not None:
            out = self.norm3(self.conv3(self.activation(out))) + first
        if self.downsample is not None:
            out = out + self.downsample(images)
        return cast(Tensor, self.activation(out))
