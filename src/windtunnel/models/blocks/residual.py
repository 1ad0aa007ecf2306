"""Blocks that add their input to their output; all but the basic and pre-activation ones keep the shape.

Sources: S0 section 2 (residual, bottleneck, double-encode bottleneck: the input is added after the last
activation); He et al. 2015, arXiv 1512.03385 (basic block); He et al. 2016, arXiv 1603.05027 (pre-activation).
"""

from typing import ClassVar, Literal, cast

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from windtunnel.errors import ModelError
from windtunnel.models.blocks.activation import build_activation
from windtunnel.models.blocks.conv import ConvNormAct, conv1x1, conv3x3


class Residual(nn.Module):
    """S0's residual block: two 3x3 convolutions, each with norm and activation, then the input is added.

    Args:
        in_channels: channels of input and output.
        activation: name for :func:`build_activation`.
    """

    skip: ClassVar[str] = "add"

    def __init__(self, *, in_channels: int, activation: str) -> None:
        super().__init__()
        self.path = _conv_path((in_channels,) * 3, kernels=(3, 3), activation=activation)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return path(images) + images."""
        return cast(Tensor, self.path(images)) + images


class Bottleneck(nn.Module):
    """S0's bottleneck: 1x1 to c/N channels, 3x3, 1x1 back, each with norm and activation; the input is added.

    The convolutions cost (2/N + 9/N^2) h w c^2 multiply-adds an image.

    Args:
        in_channels: channels of input and output, c.
        reduction: N; must divide c.
        activation: name for :func:`build_activation`.

    Raises:
        ModelError: N does not divide c.
    """

    skip: ClassVar[str] = "add"

    def __init__(self, *, in_channels: int, reduction: int, activation: str) -> None:
        super().__init__()
        inner = _divide(in_channels, reduction, f"reduction {reduction}")
        widths = (in_channels, inner, inner, in_channels)
        self.path = _conv_path(widths, kernels=(1, 3, 1), activation=activation)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return path(images) + images."""
        return cast(Tensor, self.path(images)) + images


class DoubleEncode(nn.Module):
    """S0's DEB: two 1x1 convolutions down to c/(N M) channels, 3x3, two 1x1 back up; the input is added.

    The convolutions cost (2/N + 2/(M N^2) + 9/(M^2 N^2)) h w c^2 multiply-adds an image.

    Args:
        in_channels: channels of input and output, c.
        first: N, the first reduction.
        second: M, the reduction on top of it; N M must divide c.
        activation: name for :func:`build_activation`.

    Raises:
        ModelError: N M does not divide c.
    """

    skip: ClassVar[str] = "add"

    def __init__(self, *, in_channels: int, first: int, second: int, activation: str) -> None:
        super().__init__()
        inner = _divide(in_channels, first * second, f"the reduction {first} x {second} = {first * second}")
        outer = in_channels // first
        widths = (in_channels, outer, inner, inner, outer, in_channels)
        self.path = _conv_path(widths, kernels=(1, 1, 3, 1, 1), activation=activation)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return path(images) + images."""
        return cast(Tensor, self.path(images)) + images


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with norms; the input is added before the last activation.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        stride: of the first convolution and of the 1x1 projection that a change of shape needs, pixels.
        activation: name for :func:`build_activation`.
        shortcut: what carries the input where the shape changes: ``project`` (1x1 convolution with norm) or
            ``pad`` (every ``stride``-th pixel, zeros for the new channels; no parameters).
    """

    skip: ClassVar[str] = "add_then_activate"

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        stride: int,
        activation: str,
        shortcut: Literal["project", "pad"] = "project",
    ) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, out_channels, stride=stride)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.activation = build_activation(activation, inplace=True)
        self.conv2 = conv3x3(out_channels, out_channels)
        self.norm2 = nn.BatchNorm2d(out_channels)
        build = projection if shortcut == "project" else PadShortcut
        self.shortcut = build(in_channels, out_channels, stride=stride)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d g v"]:
        """Return act(path(images) + shortcut(images))."""
        out = self.norm2(self.conv2(self.activation(self.norm1(self.conv1(images)))))
        out += self.shortcut(images)
        return cast(Tensor, self.activation(out))


class WideningBottleneck(nn.Module):
    """1x1 to ``width``, 3x3, 1x1 to more channels, with norms; the input is added before the last activation.

    Args:
        in_channels: channels of the input.
        width: channels of the 3x3 convolution, all groups together.
        out_channels: channels of the output.
        stride: of the 3x3 convolution and of the projection, pixels.
        groups: of the 3x3 convolution (ResNeXt).
        activation: name for :func:`build_activation`.
    """

    skip: ClassVar[str] = "add_then_activate"

    def __init__(
        self, *, in_channels: int, width: int, out_channels: int, stride: int, groups: int, activation: str
    ) -> None:
        super().__init__()
        self.conv1 = conv1x1(in_channels, width)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, groups=groups, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv3 = conv1x1(width, out_channels)
        self.norm3 = nn.BatchNorm2d(out_channels)
        self.activation = build_activation(activation, inplace=True)
        self.shortcut = projection(in_channels, out_channels, stride=stride)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d g v"]:
        """Return act(path(images) + shortcut(images))."""
        out = self.activation(self.norm1(self.conv1(images)))
        out = self.activation(self.norm2(self.conv2(out)))
        out = self.norm3(self.conv3(out))
        out += self.shortcut(images)
        return cast(Tensor, self.activation(out))


class PadShortcut(nn.Module):
    """Every ``stride``-th pixel, zeros for the new channels (He et al. 2015, option A).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output, at least as many.
        stride: step, pixels.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.added = out_channels - in_channels

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d g v"]:
        """Return the thinned images with zero channels on both sides."""
        if self.stride == 1 and self.added == 0:
            return images
        thinned = images[:, :, :: self.stride, :: self.stride]
        return F.pad(thinned, (0, 0, 0, 0, self.added // 2, self.added - self.added // 2))


class PreActResidual(nn.Module):
    """Norm and activation in front of each of two 3x3 convolutions; the input is added at the end.

    Where the shape changes, the shortcut is a 1x1 convolution of the activated input.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        stride: of the first convolution and the shortcut, pixels.
        activation: name for :func:`build_activation`.
        dropout: dropped share between the convolutions (wide ResNet).
    """

    skip: ClassVar[str] = "add"

    def __init__(self, *, in_channels: int, out_channels: int, stride: int, activation: str, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.activation = build_activation(activation, inplace=True)
        self.conv1 = conv3x3(in_channels, out_channels, stride=stride)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()
        self.conv2 = conv3x3(out_channels, out_channels)
        changes = stride != 1 or in_channels != out_channels
        self.shortcut = conv1x1(in_channels, out_channels, stride=stride) if changes else None

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d g v"]:
        """Return path(images) + shortcut(images)."""
        active = self.activation(self.norm1(images))
        kept = images if self.shortcut is None else self.shortcut(active)
        out = self.conv2(self.dropout(self.activation(self.norm2(self.conv1(active)))))
        out += kept
        return cast(Tensor, out)


def projection(in_channels: int, out_channels: int, *, stride: int) -> nn.Module:
    """Return the identity where the shape stays, else a 1x1 convolution with norm."""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(conv1x1(in_channels, out_channels, stride=stride), nn.BatchNorm2d(out_channels))


def _conv_path(widths: tuple[int, ...], *, kernels: tuple[int, ...], activation: str) -> nn.Sequential:
    return nn.Sequential(
        *(
            ConvNormAct(in_channels=source, out_channels=width, kernel_size=kernel, activation=activation)
            for source, width, kernel in zip(widths[:-1], widths[1:], kernels, strict=True)
        )
    )


def _divide(channels: int, divisor: int, said: str) -> int:
    if channels % divisor:
        fitting = [number for number in range(1, channels + 1) if channels % number == 0]
        raise ModelError(f"{said} does not divide the {channels} channels; use one of {fitting}")
    return channels // divisor
