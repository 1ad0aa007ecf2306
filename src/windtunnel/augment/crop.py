"""Cuts out of padded images."""

from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from windtunnel.augment.op import Coordinates, Frame, Params, Rearrangement, Stream, per_image
from windtunnel.errors import UsageError

PaddingMode = Literal["zero", "reflect", "replicate"]


class RandomCrop(Rearrangement):
    """Pad every side, then cut the image's own size out at a random place.

    Nothing is padded in memory: a shift by up to ``padding`` pixels reads the same pixels.
    """

    name: ClassVar[str] = "random_crop"

    def __init__(self, *, padding: int, mode: PaddingMode) -> None:
        self.padding = padding
        self.mode = mode

    def check(self, frame: Frame) -> None:
        """Raise UsageError when reflection would need more than the image has."""
        super().check(frame)
        side = min(frame.height, frame.width)
        if self.mode == "reflect" and self.padding >= side:
            raise UsageError(
                f"random_crop: padding {self.padding} reflects beyond images of "
                f"{frame.height}x{frame.width}; use padding below {side} or mode zero or replicate"
            )

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``top`` and ``left``: the cut's corner from the image's own corner, -padding .. padding."""
        drawn = torch.floor(stream.uniforms(ids, 2) * (2 * self.padding + 1)) - self.padding
        return {"top": drawn[0], "left": drawn[1]}

    def trace(self, at: Coordinates, params: Params, frame: Frame) -> Coordinates:
        """Return the shifted rows and columns."""
        x, inside_x = _bring_inside(at.x + per_image(params["left"]), frame.width, self.mode)
        y, inside_y = _bring_inside(at.y + per_image(params["top"]), frame.height, self.mode)
        weight = at.weight if self.mode != "zero" else at.weight * inside_x * inside_y
        return Coordinates(x, y, weight)


def _bring_inside(
    index: Float[Tensor, "b _ _"], size: int, mode: PaddingMode
) -> tuple[Float[Tensor, "b _ _"], Float[Tensor, "b _ _"]]:
    """Return the pixel that stands at ``index`` of the padded axis and whether it is one of the image."""
    if mode == "reflect":
        index = (size - 1) - (size - 1 - index.abs()).abs()
    clamped = index.clamp(0, size - 1)
    return clamped, (clamped == index).float()
