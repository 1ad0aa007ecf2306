"""Cuts: out of padded images, and out of the image with a stretch back to its size."""

import math
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from windtunnel.augment.instruction import Code, Padding, Slot, Step, make_step
from windtunnel.augment.op import Frame, Op, Params, Stream, between, gate
from windtunnel.errors import UsageError

TRIES = 10


class RandomCrop(Op):
    """Pad every side, then cut the image's own size out at a random place.

    Nothing is padded in memory: a shift by up to ``padding`` pixels reads the same pixels.
    """

    name: ClassVar[str] = "random_crop"

    def __init__(self, *, padding: int, mode: Literal["zero", "reflect", "replicate"]) -> None:
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

    def slots(self, frame: Frame) -> tuple[Slot, ...]:
        """Return the one slot."""
        return (Slot((Code.SHIFT,), 2, padding=Padding[self.mode.upper()]),)

    def encode(self, params: Params, frame: Frame) -> tuple[Step, ...]:
        """Return the one step."""
        every = torch.ones_like(params["top"], dtype=torch.bool)
        return (make_step(every, Code.SHIFT, params["top"], params["left"]),)


class ResizedCrop(Op):
    """Cut a random rectangle out and stretch it to the image's own size, as torchvision's RandomResizedCrop."""

    name: ClassVar[str] = "resized_crop"

    def __init__(self, *, scale: tuple[float, float], ratio: tuple[float, float], p: float) -> None:
        self.scale = scale
        self.ratio = ratio
        self.p = p

    def sample(self, stream: Stream, ids: Int64[Tensor, " n"], frame: Frame) -> Params:
        """Draw ``on`` and the box ``top``, ``left``, ``height``, ``width`` in pixels.

        Ten sizes are drawn and the first that fits is taken; when none fits, the largest centred box of an
        allowed ratio is.
        """
        drawn = stream.uniforms(ids, 3 + 2 * TRIES)
        area = between(self.scale, drawn[3 : 3 + TRIES]) * (frame.height * frame.width)
        stretch = log_uniform(self.ratio, drawn[3 + TRIES :])
        width, height = torch.round(torch.sqrt(area * stretch)), torch.round(torch.sqrt(area / stretch))
        fits = (width > 0) & (width <= frame.width) & (height > 0) & (height <= frame.height)
        some, first = fits.any(0), first_valid(fits)
        spare_height, spare_width = self._fallback(frame)
        height = torch.where(some, height.gather(0, first)[0], spare_height)
        width = torch.where(some, width.gather(0, first)[0], spare_width)
        top = torch.floor(drawn[1] * (frame.height - height + 1))
        left = torch.floor(drawn[2] * (frame.width - width + 1))
        return {
            "on": gate(drawn[0], self.p),
            "top": torch.where(some, top, (frame.height - spare_height) // 2).float(),
            "left": torch.where(some, left, (frame.width - spare_width) // 2).float(),
            "height": height.float(),
            "width": width.float(),
        }

    def slots(self, frame: Frame) -> tuple[Slot, ...]:
        """Return the one slot."""
        return (Slot((Code.RESIZED_CROP,), 4),)

    def encode(self, params: Params, frame: Frame) -> tuple[Step, ...]:
        """Return the one step."""
        box = (params["top"], params["left"], params["height"], params["width"])
        return (make_step(params["on"], Code.RESIZED_CROP, *box),)

    def _fallback(self, frame: Frame) -> tuple[int, int]:
        natural = frame.width / frame.height
        if natural < self.ratio[0]:
            return round(frame.width / self.ratio[0]), frame.width
        if natural > self.ratio[1]:
            return frame.height, round(frame.height * self.ratio[1])
        return frame.height, frame.width


def log_uniform(bounds: tuple[float, float], values: Tensor) -> Float64[Tensor, "*n"]:
    """Spread numbers in [0, 1) over ``bounds`` so that their logarithm is uniform."""
    return torch.exp(between((math.log(bounds[0]), math.log(bounds[1])), values))


def first_valid(valid: Bool[Tensor, "tries n"]) -> Int64[Tensor, "1 n"]:
    """Return the first valid try of each image, 0 where none is."""
    first = torch.zeros(1, valid.shape[1], dtype=torch.int64, device=valid.device)
    for attempt in range(len(valid) - 1, 0, -1):
        first = torch.where(valid[attempt], attempt, first)
    return torch.where(valid[0], 0, first)
