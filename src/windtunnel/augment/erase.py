"""Rectangles of an image set to one value."""

from typing import ClassVar

import torch
from jaxtyping import Int64
from torch import Tensor

from windtunnel.augment.crop import TRIES, first_valid, log_uniform
from windtunnel.augment.instruction import Code, Slot, Step, make_step
from windtunnel.augment.op import Frame, Op, Params, Stream, between, check_fill, fill_values, gate
from windtunnel.errors import UsageError


class FilledBox(Op):
    """Set one box of the image to a value; a base for ops that differ in how the box is drawn."""

    def slots(self, frame: Frame) -> tuple[Slot, ...]:
        """Return the one slot."""
        return (Slot((Code.FILL_BOX,), 4 + frame.channels),)

    def encode(self, params: Params, frame: Frame) -> tuple[Step, ...]:
        """Return the one step."""
        box = (params["top"], params["left"], params["height"], params["width"])
        return (make_step(params["on"], Code.FILL_BOX, *box, *params["value"].unbind(1)),)


class Cutout(FilledBox):
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
        """Draw ``on``, the box ``top``, ``left``, ``height``, ``width`` (pixels) and ``value`` (n c)."""
        drawn = stream.uniforms(ids, 3)
        side = torch.full_like(drawn[0], self.size)
        return {
            "on": gate(drawn[0], self.p),
            "top": torch.floor(drawn[1] * (frame.height - self.size + 1)),
            "left": torch.floor(drawn[2] * (frame.width - self.size + 1)),
            "height": side,
            "width": side,
            "value": torch.tensor(frame.mean, device=ids.device).expand(len(ids), -1),
        }


class Erasing(FilledBox):
    """Set a random rectangle to one value, as torchvision's RandomErasing.

    Ten sizes are drawn and the first smaller than the image is taken; when none is, nothing is erased.
    """

    name: ClassVar[str] = "erasing"

    def __init__(
        self,
        *,
        scale: tuple[float, float],
        ratio: tuple[float, float],
        value: float | tuple[float, ...],
        p: float,
    ) -> None:
        self.scale = scale
        self.ratio = ratio
        self.value = value
        self.p = p

    def check(self, frame: Frame) -> None:
        """Raise UsageError when the value does not fit the channels."""
        super().check(frame)
        check_fill(self.name, self.value, frame)

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``on``, the box ``top``, ``left``, ``height``, ``width`` (pixels) and ``value`` (n c)."""
        drawn = stream.uniforms(ids, 3 + 2 * TRIES)
        area = between(self.scale, drawn[3 : 3 + TRIES]) * (frame.height * frame.width)
        stretch = log_uniform(self.ratio, drawn[3 + TRIES :])
        heights, widths = torch.round(torch.sqrt(area * stretch)), torch.round(torch.sqrt(area / stretch))
        fits = (heights < frame.height) & (widths < frame.width)
        some, first = fits.any(0), first_valid(fits)
        height, width = heights.gather(0, first)[0], widths.gather(0, first)[0]
        return {
            "on": gate(drawn[0], self.p) & some,
            "top": torch.floor(drawn[1] * (frame.height - height + 1)).float(),
            "left": torch.floor(drawn[2] * (frame.width - width + 1)).float(),
            "height": height.float(),
            "width": width.float(),
            "value": torch.tensor(fill_values(self.value, frame), device=ids.device).expand(len(ids), -1),
        }
