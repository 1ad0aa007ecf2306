"""airbench93 to airbench96, and S1's residual variant.

Source: Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU" (arXiv 2404.00498) and its public
scripts; S1 for ``residual``. No deliberate deviation at 32 px. Where the public net has MaxPool2d(3) over the
3x3 map that 32 px leave, this one takes the maximum over whatever map is left, which is the same there and lets
other sizes in. One-channel images get 8 whitening filters instead of 24.
"""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from windtunnel.errors import ModelError
from windtunnel.models.blocks.activation import build_activation
from windtunnel.models.blocks.conv_group import ConvGroup
from windtunnel.models.blocks.heads import GlobalPool
from windtunnel.models.blocks.whiten import WhiteningStem

_MIN_SIZE = 9  # a stem that costs a pixel, then three halvings


class Airbench(nn.Module):
    """Whitening stem, three conv groups, global max, scaled linear head.

    Args:
        num_classes: outputs.
        in_channels: channels of the images.
        image_size: height and width, pixels, at least 9.
        widths: channels of the three groups.
        depth: convolutions a group, 2 or 3.
        activation: activation of stem and groups.
        norm_momentum: share of the new batch in the running statistics.
        logit_scale: factor on the logits.
        residual: S1's residual path in each group.

    Raises:
        ModelError: the images are too small.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        widths: tuple[int, ...],
        depth: int,
        activation: str,
        norm_momentum: float,
        logit_scale: float,
        residual: bool,
    ) -> None:
        super().__init__()
        if min(image_size) < _MIN_SIZE:
            raise ModelError(f"airbench needs images of at least {_MIN_SIZE}x{_MIN_SIZE} pixels, not {image_size}")
        self.whiten = WhiteningStem(in_channels=in_channels)
        self.activation = build_activation(activation, inplace=True)
        sources = (self.whiten.out_channels, *widths[:-1])
        self.groups = nn.Sequential(
            *(
                ConvGroup(
                    in_channels=source,
                    out_channels=width,
                    depth=depth,
                    activation=activation,
                    norm_momentum=norm_momentum,
                    residual=residual,
                )
                for source, width in zip(sources, widths, strict=True)
            )
        )
        self.pool = GlobalPool("max")
        self.head = nn.Linear(widths[-1], num_classes, bias=False)
        self.logit_scale = logit_scale

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return the scaled logits."""
        features = self.groups(self.activation(self.whiten(images)))
        return cast(Tensor, self.head(self.pool(features))) * self.logit_scale

    def initialise_from(self, images: Float[Tensor, "n c h w"]) -> None:
        """Set the whitening filters from normalised training images."""
        self.whiten.initialise_from(images)
