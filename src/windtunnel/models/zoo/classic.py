"""Plain networks: an MLP, LeNet-5 and S0's convolutional baselines.

Sources: LeCun et al. 1998 for LeNet-5 (with ReLU and max pooling, as is usual today); S0 for the baselines,
whose widths are a reconstruction that meets the reported parameter counts within 5%.
"""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from windtunnel.errors import ModelError
from windtunnel.models.blocks.conv import ConvNormAct

_LENET_SIZE = 32


class Mlp(nn.Module):
    """Fully connected layers with ReLU on the flattened image.

    Args:
        num_classes: outputs.
        in_channels: channels of the images.
        image_size: height and width, pixels.
        widths: units of each hidden layer.
        dropout: dropped share of each hidden layer's output.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        widths: tuple[int, ...],
        dropout: float,
    ) -> None:
        super().__init__()
        sources = (in_channels * image_size[0] * image_size[1], *widths)
        hidden = [
            nn.Sequential(nn.Linear(source, width), nn.ReLU(inplace=True), nn.Dropout(dropout))
            for source, width in zip(sources, widths, strict=False)
        ]
        self.layers = nn.Sequential(nn.Flatten(), *hidden)
        self.head = nn.Linear(sources[-1], num_classes)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return the logits."""
        return cast(Tensor, self.head(self.layers(images)))


class Lenet(nn.Module):
    """LeNet-5: two 5x5 convolutions with pooling, then 120, 84 and ``num_classes`` units.

    Args:
        num_classes: outputs.
        in_channels: channels of the images.
        image_size: height and width, pixels, at least 12. Below 32 the image gets a margin of 2 zeros, as
            LeNet-5 gives the 28x28 digits.

    Raises:
        ModelError: the images are too small.
    """

    def __init__(self, *, num_classes: int, in_channels: int, image_size: tuple[int, int]) -> None:
        super().__init__()
        margin = 2 if min(image_size) < _LENET_SIZE else 0
        rows, columns = (((side + 2 * margin - 4) // 2 - 4) // 2 for side in image_size)
        if min(rows, columns) < 1:
            raise ModelError(f"lenet pools images of {image_size} pixels away; it needs at least 12x12")
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 6, 5, padding=margin),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(16 * rows * columns, 120),
            nn.ReLU(inplace=True),
            nn.Linear(120, 84),
            nn.ReLU(inplace=True),
            nn.Linear(84, num_classes),
        )

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return the logits."""
        return cast(Tensor, self.classifier(self.features(images)))


class Cnn(nn.Module):
    """3x3 convolutions with a max pool after every second, global average, linear, layer norm, linear.

    Args:
        num_classes: outputs.
        in_channels: channels of the images.
        image_size: height and width, pixels.
        widths: channels of each convolution.
        hidden: units of the hidden linear layer.

    Raises:
        ModelError: the pools leave no pixel.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        widths: tuple[int, ...],
        hidden: int,
    ) -> None:
        super().__init__()
        pools = [2 if index % 2 and index < len(widths) - 1 else 1 for index in range(len(widths))]
        smallest = 2 ** (sum(pools) - len(pools))
        if min(image_size) < smallest:
            raise ModelError(
                f"cnn with {len(widths)} convolutions needs images of at least {smallest}x{smallest} pixels, "
                f"not {image_size}"
            )
        self.features = nn.Sequential(
            *(
                ConvNormAct(in_channels=source, out_channels=width, pool=pool)
                for source, width, pool in zip((in_channels, *widths), widths, pools, strict=False)
            )
        )
        self.hidden = nn.Linear(widths[-1], hidden)
        self.norm = nn.LayerNorm(hidden)
        self.activation = nn.ReLU(inplace=True)
        self.head = nn.Linear(hidden, num_classes)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return the logits."""
        pooled = self.features(images).mean((2, 3))
        return cast(Tensor, self.head(self.activation(self.norm(self.hidden(pooled)))))
