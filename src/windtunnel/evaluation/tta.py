"""Test-time augmentation: several views of each image, their logits averaged with weights."""

from typing import Protocol

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class Views(Protocol):
    """Logits of a batch from one or more views of it."""

    def __call__(self, model: nn.Module, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return the mean logits."""


class PlainView:
    """The image itself (airbench level 0)."""

    def __call__(self, model: nn.Module, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return ``model(images)``."""
        return model(images)


class FlipViews:
    """The image and its mirror image (airbench level 1)."""

    def __call__(self, model: nn.Module, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return the mean of both views' logits."""
        return _mirror_mean(model, images)


class FlipTranslateViews:
    """Six views: the mirror mean of the image, half, and of its two diagonal shifts by a pixel, a quarter each.

    Shifts are cut from the image padded by one reflected pixel. Source: airbench level 2 (Jordan 2024).
    """

    def __call__(self, model: nn.Module, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Return the weighted mean of the six views' logits."""
        height, width = images.shape[-2:]
        padded = functional.pad(images, (1, 1, 1, 1), mode="reflect")
        up_left = padded[:, :, :height, :width]
        down_right = padded[:, :, 2 : height + 2, 2 : width + 2]
        shifted = _mirror_mean(model, up_left) + _mirror_mean(model, down_right)
        return 0.5 * _mirror_mean(model, images) + 0.25 * shifted


def _mirror_mean(model: nn.Module, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
    return 0.5 * (model(images) + model(images.flip(3)))
