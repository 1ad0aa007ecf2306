"""Views of normalised images for test-time augmentation.

Normalising is one multiplication and one addition a channel, and blurring, resizing and reflecting are means of
pixels or copies of them: done to normalised images they give what normalising the treated pixels would. Nothing is
filled with black, which would not be zero here.
"""

import functools
import math
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from windtunnel.errors import UsageError


class View(Protocol):
    """One way to look at an image, and its share in the mean."""

    weight: float

    def check(self, height: int, width: int) -> None:
        """Raise UsageError when images of this size have no such view."""

    def apply(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return the view of each image."""


class _AnySize:
    def __init__(self, *, weight: float) -> None:
        self.weight = weight

    def check(self, height: int, width: int) -> None:
        """Accept every size."""


class Original(_AnySize):
    """The image itself."""

    def apply(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return the images."""
        return images


class HorizontalFlip(_AnySize):
    """The mirror image."""

    def apply(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return the images with their columns reversed."""
        return images.flip(3)


class VerticalFlip(_AnySize):
    """The image upside down."""

    def apply(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return the images with their rows reversed."""
        return images.flip(2)


class Brightness(_AnySize):
    """A lighter or darker image: ``delta`` standard deviations of the training pixels are added to each channel."""

    def __init__(self, *, delta: float, weight: float) -> None:
        super().__init__(weight=weight)
        self.delta = delta

    def apply(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return ``images + delta``."""
        return images + self.delta


class Shift:
    """The image moved by ``dx`` pixels to the right and ``dy`` down, reflected where it leaves a gap."""

    def __init__(self, *, dx: int, dy: int, weight: float) -> None:
        self.dx = dx
        self.dy = dy
        self.weight = weight

    def check(self, height: int, width: int) -> None:
        """Raise UsageError when the image would leave its frame."""
        for name, distance, side, limit in (("dx", self.dx, "width", width), ("dy", self.dy, "height", height)):
            if abs(distance) >= limit:
                raise UsageError(
                    f"evaluate.tta: shift has {name} {distance} and the images a {side} of {limit}; "
                    f"use less than {limit} pixels"
                )

    def apply(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Cut a window out of the images padded with their reflection."""
        height, width = images.shape[-2:]
        left, up = max(self.dx, 0), max(self.dy, 0)
        right, down = max(-self.dx, 0), max(-self.dy, 0)
        padded = functional.pad(images, (left, right, up, down), mode="reflect")
        return padded[:, :, down : down + height, right : right + width]


class Blur:
    """The image under a Gaussian of ``kernel_size`` pixels and ``sigma``, reflected at its edges."""

    def __init__(self, *, kernel_size: int, sigma: float, weight: float) -> None:
        self.reach = kernel_size // 2
        self.weight = weight
        bell = [math.exp(-0.5 * (offset / sigma) ** 2) for offset in range(-self.reach, self.reach + 1)]
        self.taps = tuple(height / sum(bell) for height in bell)

    def check(self, height: int, width: int) -> None:
        """Raise UsageError when the kernel reaches beyond the reflected image."""
        if self.reach >= min(height, width):
            raise UsageError(
                f"evaluate.tta: blur has kernel_size {2 * self.reach + 1}, too large for images of {height}x{width}; "
                f"use at most {2 * min(height, width) - 1}"
            )

    def apply(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return the images blurred along rows, then along columns."""
        height, width = images.shape[-2:]
        padded = functional.pad(images, (self.reach,) * 4, mode="reflect")
        return self._slide(self._slide(padded, 3, width), 2, height)

    def _slide(self, images: Float[Tensor, "b c u v"], axis: int, length: int) -> Float[Tensor, "b c m n"]:
        """Weigh and add the windows of ``length`` along ``axis``; unlike stacking this keeps the memory layout."""
        windows = (tap * images.narrow(axis, start, length) for start, tap in enumerate(self.taps))
        return functools.reduce(torch.add, windows)


class Crop:
    """The centre of ``size`` x ``size`` pixels, enlarged to the whole image (bilinear)."""

    def __init__(self, *, size: int, weight: float) -> None:
        self.size = size
        self.weight = weight

    def check(self, height: int, width: int) -> None:
        """Raise UsageError when the crop is not smaller than the image."""
        if self.size >= min(height, width):
            raise UsageError(
                f"evaluate.tta: crop has size {self.size}, not less than the images of {height}x{width}; "
                f"use at most {min(height, width) - 1}"
            )

    def apply(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Cut out the centre and enlarge it."""
        height, width = images.shape[-2:]
        top, left = (height - self.size) // 2, (width - self.size) // 2
        centre = images[:, :, top : top + self.size, left : left + self.size]
        return functional.interpolate(centre, size=(height, width), mode="bilinear", align_corners=False)


class Mirrored:
    """The mirror image of another view."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.weight = view.weight

    def check(self, height: int, width: int) -> None:
        """Ask the view."""
        self.view.check(height, width)

    def apply(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return the view's images with their columns reversed."""
        return self.view.apply(images).flip(3)
