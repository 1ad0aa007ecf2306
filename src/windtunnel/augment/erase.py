"""Rectangles of an image set to one value."""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from windtunnel.augment.op import Frame, Op, Params, Stream, per_image
from windtunnel.errors import UsageError


class Cutout(Op):
    """Set one square, fully inside the image, to the data set's mean.

    Source: airbench (Jordan 2024); unlike DeVries and Taylor 2017 the square never leaves the image.
    """

    name: ClassVar[str] = "cutout"

    def __init__(self, *, size: int, p: float) -> None:
        self.size = size
        self.p = p

    def check(self, frame: Frame) -> None:
        """Raise UsageError when the square is larger than the image."""
        super().check(frame)
        side = min(frame.height, frame.width)
        if self.size > side:
            raise UsageError(f"cutout: size {self.size} is larger than images of {frame.height}x{frame.width}")

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``top``, ``left``, ``height``, ``width`` (pixels) and ``value`` (n c)."""
        drawn = stream.uniforms(ids, 2)
        side = torch.full_like(drawn[0], self.size)
        return {
            "top": torch.floor(drawn[0] * (frame.height - self.size + 1)),
            "left": torch.floor(drawn[1] * (frame.width - self.size + 1)),
            "height": side,
            "width": side,
            "value": torch.tensor(frame.mean, device=ids.device).expand(len(ids), -1),
        }

    def apply(self, images: Float[Tensor, "b c h w"], params: Params) -> Float[Tensor, "b c h w"]:
        """Return the images with the box of each set to its value."""
        inside = box_mask(params, images.shape[-2], images.shape[-1])
        return torch.where(inside[:, None], params["value"][:, :, None, None].to(images.dtype), images)


def box_mask(params: Params, height: int, width: int) -> Bool[Tensor, "b h w"]:
    """Return True inside the box ``top``, ``left``, ``height``, ``width`` of each image."""
    device = params["top"].device
    y = torch.arange(height, device=device).view(1, -1, 1) - per_image(params["top"])
    x = torch.arange(width, device=device).view(1, 1, -1) - per_image(params["left"])
    return (y >= 0) & (y < per_image(params["height"])) & (x >= 0) & (x < per_image(params["width"]))
