"""What ops compile to: a short program of instructions, the same for every backend.

A slot is one line of the program. What each image does there is a code and a few numbers, so that an op that
is off, a jitter in its own order and a random choice of ops are all the same thing: columns of one table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int8, Int64
from torch import Tensor


class Code(IntEnum):
    """What happens to one image in one slot; in brackets the arguments."""

    KEEP = 0
    """Nothing."""
    FLIP_X = 1
    """Mirror left and right."""
    FLIP_Y = 2
    """Mirror top and bottom."""
    SHIFT = 3
    """Read from (top, left) on; the slot's constant is the padding, one of :class:`Padding`."""
    WARP = 4
    """Read through a homography of pixel indices (xx, xy, x0, yx, yy, y0, gx, gy); constants of :class:`Warp`."""
    RESIZED_CROP = 5
    """Stretch the box (top, left, height, width) to the image."""
    GRAY = 6
    INVERT = 7
    BRIGHTNESS = 8
    """Multiply (factor)."""
    CONTRAST = 9
    """Blend with the mean grey (factor)."""
    SATURATION = 10
    """Blend with the grey image (factor)."""
    HUE = 11
    """Turn the hue (part of a circle)."""
    SHARPNESS = 12
    """Blend with the smoothed image (factor)."""
    POSTERIZE = 13
    """Round down to (levels)."""
    SOLARIZE = 14
    """Invert from (threshold) on."""
    AUTOCONTRAST = 15
    EQUALIZE = 16
    BLUR = 17
    """Gaussian blur (sigma); the slot's constant is the kernel's side."""
    FILL_BOX = 18
    """Set the box (top, left, height, width) to (one value a channel)."""
    MIX_BEGIN = 19
    """Keep the image as the original and start a sum with (weight) times it."""
    CHAIN_END = 20
    """Add (weight) times the image to the sum and go back to the original."""
    MIX_END = 21
    """Take the sum."""


class Padding(IntEnum):
    """What lies beyond the edge of a shifted image."""

    ZERO = 0
    REFLECT = 1
    REPLICATE = 2


class Warp(NamedTuple):
    """Constants of a slot that warps.

    Args:
        bilinear: read between pixels, not the nearest.
        projective: the last two arguments may differ from 0.
        fill: value outside the image for each channel, or None: black that is blended in only once.
    """

    bilinear: bool
    projective: bool
    fill: tuple[float, ...] | None

    def constants(self) -> tuple[float, ...]:
        """Return (bilinear, projective, filled, fill of each channel) as numbers."""
        return (self.bilinear, self.projective, self.fill is not None, *(self.fill or ()))


class Slot(NamedTuple):
    """One line of a program.

    Args:
        codes: what may happen here, KEEP apart.
        width: arguments of each image.
        padding: of a SHIFT.
        warp: of a WARP.
        kernel_size: of a BLUR, pixels.
    """

    codes: tuple[Code, ...]
    width: int = 0
    padding: Padding = Padding.ZERO
    warp: Warp | None = None
    kernel_size: int = 0


class Step(NamedTuple):
    """What n images do in one slot."""

    codes: Int8[Tensor, " n"]
    arguments: Float[Tensor, "n width"]


class Table(NamedTuple):
    """What n images do in all slots of a program."""

    codes: Int8[Tensor, "n slots"]
    arguments: Float[Tensor, "n width"]

    def rows(self, rows: slice) -> "Table":
        """Return what the images ``rows`` do."""
        return Table(self.codes[rows], self.arguments[rows])


@dataclass(frozen=True)
class Program:
    """The slots of a list of ops, one after the other."""

    slots: tuple[Slot, ...]

    def offsets(self) -> tuple[int, ...]:
        """Return where the arguments of each slot begin in a row of the table."""
        starts = [0]
        for slot in self.slots:
            starts.append(starts[-1] + slot.width)
        return tuple(starts[:-1])

    def pack(self, steps: Sequence[Step], ids: Int64[Tensor, " n"]) -> Table:
        """Return the table of ``steps``, one for each slot."""
        if not self.slots:
            empty = torch.empty(len(ids), 0, device=ids.device)
            return Table(empty.to(torch.int8), empty)
        codes = torch.stack([step.codes for step in steps], 1)
        return Table(codes, torch.cat([step.arguments for step in steps], 1))


def make_step(on: Bool[Tensor, " n"], code: Code, *arguments: Tensor) -> Step:
    """Return the step of images that do ``code`` where ``on`` and nothing elsewhere."""
    codes = on.to(torch.int8) * int(code)
    if not arguments:
        return Step(codes, torch.empty(len(on), 0, device=on.device))
    return Step(codes, torch.stack([values.float() for values in arguments], 1))
