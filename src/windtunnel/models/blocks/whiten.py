"""airbench's whitening stem: fixed filters that decorrelate image patches.

Source: Jordan 2024, "94% on CIFAR-10 in 3.29 seconds", section 3.2 (after Page 2019).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from windtunnel.errors import ModelError

_MOST_FLOATS = 2**26  # of patches at a time, 256 MiB; what CIFAR's 5,000 images have fits


class WhiteningStem(nn.Conv2d):
    """Valid convolution with the whitening directions of the training patches and their negatives as filters.

    The weight is frozen, only the bias trains. Until :meth:`initialise_from` is called filters are random.

    Args:
        in_channels: channels of the images, c; the output has ``2 * 4 * c`` channels.
        kernel_size: side of the patches, pixels.
        epsilon: added to each eigenvalue, so that directions without variance do not explode.
    """

    def __init__(self, *, in_channels: int, kernel_size: int = 2, epsilon: float = 5e-4) -> None:
        super().__init__(in_channels, 2 * in_channels * kernel_size**2, kernel_size, bias=True)
        self.epsilon = epsilon
        self.weight.requires_grad_(False)

    @torch.no_grad()
    def initialise_from(self, images: Float[Tensor, "n c h w"]) -> None:
        """Set the filters from the patches of normalised ``images``.

        Raises:
            ModelError: the images have another number of channels.
        """
        if images.shape[1] != self.in_channels:
            raise ModelError(
                f"the whitening stem was built for {self.in_channels} channels; the images have {images.shape[1]}"
            )
        filters = whitening_filters(images.float(), size=self.kernel_size[0], epsilon=self.epsilon)
        self.weight.copy_(torch.cat([filters, -filters]))


def whitening_filters(images: Float[Tensor, "n c h w"], *, size: int, epsilon: float) -> Float[Tensor, "f c size size"]:
    """Return one filter for each eigenvector of the patches' second moment, scaled to unit variance.

    The moment is P^T P / n without removing the mean; a filter is v / sqrt(lambda + epsilon).
    """
    count, channels, height, width = images.shape
    patches = (height - size + 1) * (width - size + 1)
    together = max(1, _MOST_FLOATS // (patches * channels * size * size))
    moment = torch.stack([_sum_of_products(part, size) for part in images.split(together)]).sum(0) / (count * patches)
    eigenvalues, eigenvectors = torch.linalg.eigh(moment)
    scaled: Tensor = eigenvectors / torch.sqrt(eigenvalues + epsilon)
    return scaled.T.reshape(-1, channels, size, size)


def _sum_of_products(images: Float[Tensor, "n c h w"], size: int) -> Float[Tensor, "f f"]:
    """Return P^T P of the patches P, one a row."""
    patches = images.unfold(2, size, 1).unfold(3, size, 1)  # n c rows columns size size
    flat = patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, images.shape[1] * size * size)
    return flat.T @ flat
