"""Tracing the pixels of an op's output back to where they lie in its input."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from windtunnel.augment.instruction import Code, Padding, Slot, Warp
from windtunnel.augment.op import Frame


class Coordinates(NamedTuple):
    """Where each pixel comes from, in pixel indices; the axes broadcast, so a shift stays two thin tensors.

    Args:
        x: column of the source.
        y: row of the source.
        weight: how much of the source shows, or None for all of it.
        offset: what shows where the source does not, or None for black.
    """

    x: Float[Tensor, "b _ w"]
    y: Float[Tensor, "b h _"]
    weight: Float[Tensor, "b _ _"] | None
    offset: Float[Tensor, "b c h w"] | None

    def hide(self, shown: Float[Tensor, "b _ _"], fill: tuple[float, ...] | None) -> "Coordinates":
        """Return the coordinates with only ``shown`` of the source left and ``fill`` in its place."""
        before = self.weight
        weight = shown if before is None else before * shown
        if fill is None or not any(fill):
            return self._replace(weight=weight)
        hidden = 1 - shown if before is None else (1 - shown) * before
        added = torch.stack([hidden * value for value in fill], 1)
        return self._replace(weight=weight, offset=added if self.offset is None else self.offset + added)


def identity_coordinates(batch: int, frame: Frame, device: torch.device) -> Coordinates:
    """Return the coordinates at which every pixel is itself."""
    x = torch.arange(frame.width, device=device, dtype=torch.float32).view(1, 1, -1).expand(batch, 1, -1)
    y = torch.arange(frame.height, device=device, dtype=torch.float32).view(1, -1, 1).expand(batch, -1, 1)
    return Coordinates(x, y, None, None)


def trace(
    at: Coordinates, slot: Slot, on: Bool[Tensor, " b"], arguments: Float[Tensor, "b k"], frame: Frame
) -> Coordinates:
    """Return where the pixels ``at`` of the slot's output lie in its input."""
    (code,) = slot.codes
    return _TRACERS[code](at, slot, on[:, None, None], arguments, frame)


def pixel_index(at: Coordinates, width: int) -> Int64[Tensor, "b h w"]:
    """Return the index of each source pixel in its flattened image."""
    return at.y.long() * width + at.x.long()


def _flip_x(at: Coordinates, slot: Slot, on: Tensor, arguments: Tensor, frame: Frame) -> Coordinates:
    return at._replace(x=torch.where(on, frame.width - 1 - at.x, at.x))


def _flip_y(at: Coordinates, slot: Slot, on: Tensor, arguments: Tensor, frame: Frame) -> Coordinates:
    return at._replace(y=torch.where(on, frame.height - 1 - at.y, at.y))


def _shift(at: Coordinates, slot: Slot, on: Tensor, arguments: Tensor, frame: Frame) -> Coordinates:
    top, left = (value[:, None, None] for value in (arguments * on[:, 0]).unbind(1))
    x, inside_x = _bring_inside(at.x + left, frame.width, slot.padding)
    y, inside_y = _bring_inside(at.y + top, frame.height, slot.padding)
    moved = at._replace(x=x, y=y)
    return moved if slot.padding is not Padding.ZERO else moved.hide(inside_x * inside_y, None)


def _bring_inside(index: Tensor, size: int, padding: Padding) -> tuple[Tensor, Tensor]:
    """Return the pixel that stands at ``index`` of the padded axis and whether it is one of the image."""
    if padding is Padding.REFLECT:
        index = (size - 1) - (size - 1 - index.abs()).abs()
    clamped = index.clamp(0, size - 1)
    return clamped, (clamped == index).float()


def _resized_crop(at: Coordinates, slot: Slot, on: Tensor, arguments: Tensor, frame: Frame) -> Coordinates:
    top, left, height, width = (value[:, None, None] for value in arguments.unbind(1))
    x = _stretch(at.x, width / frame.width, width) + left
    y = _stretch(at.y, height / frame.height, height) + top
    return at._replace(x=torch.where(on, x, at.x), y=torch.where(on, y, at.y))


def _stretch(index: Tensor, scale: Tensor, size: Tensor) -> Tensor:
    return torch.minimum(((index + 0.5) * scale - 0.5).clamp_min(0), size - 1)


def _warp(at: Coordinates, slot: Slot, on: Tensor, arguments: Tensor, frame: Frame) -> Coordinates:
    assert slot.warp is not None
    xx, xy, x0, yx, yy, y0, gx, gy = (value[:, None, None] for value in arguments.unbind(1))
    x, y = xx * at.x + (xy * at.y + x0), yx * at.x + (yy * at.y + y0)
    if slot.warp.projective:
        depth = gx * at.x + (gy * at.y + 1)
        # far outside is as good as infinitely far, which would weigh a pixel with 0 times infinity
        x, y = (x / depth).clamp(-2, frame.width + 1), (y / depth).clamp(-2, frame.height + 1)
    x, y, shown = _land(x, y, slot.warp, frame)
    landed = at._replace(x=torch.where(on, x, at.x), y=torch.where(on, y, at.y))
    return landed if shown is None else landed.hide(torch.where(on, shown, 1.0), slot.warp.fill)


def _land(x: Tensor, y: Tensor, warp: Warp, frame: Frame) -> tuple[Tensor, Tensor, Tensor | None]:
    """Round to whole pixels where the warp does, and say how much of the image shows."""
    if warp.bilinear:
        if warp.fill is None:
            return x, y, None
        inside = torch.minimum(x + 1, frame.width - x).clamp(0, 1)
        return x, y, inside * torch.minimum(y + 1, frame.height - y).clamp(0, 1)
    x, y = x.round(), y.round()
    clamped_x, clamped_y = x.clamp(0, frame.width - 1), y.clamp(0, frame.height - 1)
    return clamped_x, clamped_y, ((clamped_x == x) & (clamped_y == y)).float()


_TRACERS: Mapping[Code, Callable[[Coordinates, Slot, Tensor, Tensor, Frame], Coordinates]] = {
    Code.FLIP_X: _flip_x,
    Code.FLIP_Y: _flip_y,
    Code.SHIFT: _shift,
    Code.RESIZED_CROP: _resized_crop,
    Code.WARP: _warp,
}
