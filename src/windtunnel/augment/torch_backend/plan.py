"""Groups the slots of a program into passes over the images, joining only what is exactly the same joined.

Geometry is joined by tracing each output pixel back through several ops and reading the image once. That is
exact while every op but the first only copies whole pixels: reading between the pixels of an image that was
itself read between pixels is not the same as reading once. An op of colour may trade places with a later one
of geometry, so that two of geometry meet, only when that cannot show.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from windtunnel.augment.instruction import Code, Padding, Slot

MOVES = (Code.FLIP_X, Code.FLIP_Y, Code.SHIFT, Code.WARP, Code.RESIZED_CROP)
POINTWISE = (
    Code.GRAY, Code.INVERT, Code.BRIGHTNESS, Code.SATURATION, Code.HUE, Code.POSTERIZE, Code.SOLARIZE,
)  # fmt: skip
BLACK_STAYS_BLACK = (Code.GRAY, Code.BRIGHTNESS, Code.SATURATION, Code.HUE, Code.POSTERIZE)
KEEPS_MEANS = (Code.GRAY, Code.INVERT)


@dataclass(frozen=True)
class Segment:
    """Slots that are one pass.

    Args:
        kind: ``copy`` moves whole pixels, ``sample`` reads between pixels, ``paint`` changes values.
        slots: indices of the slots, in order.
    """

    kind: Literal["copy", "sample", "paint"]
    slots: tuple[int, ...]


def plan_segments(slots: Sequence[Slot]) -> tuple[Segment, ...]:
    """Return the passes of a program, in order."""
    segments: list[Segment] = []
    for index, slot in enumerate(slots):
        if not is_geometric(slot):
            segments.append(Segment("paint", (index,)))
            continue
        place = _latest_geometry(segments)
        between = [slots[paint.slots[0]] for paint in segments[place + 1 :]]
        if place >= 0 and joins(segments[place], slot, slots) and all(trade_places(p, slot) for p in between):
            kind = "sample" if interpolates(slot) else segments[place].kind
            segments[place] = Segment(kind, (*segments[place].slots, index))
        else:
            segments.append(Segment("sample" if interpolates(slot) else "copy", (index,)))
    return tuple(segments)


def is_geometric(slot: Slot) -> bool:
    """Return whether the slot moves pixels and does nothing else."""
    return all(code in MOVES for code in slot.codes)


def interpolates(slot: Slot) -> bool:
    """Return whether the slot reads between pixels."""
    return Code.RESIZED_CROP in slot.codes or (slot.warp is not None and slot.warp.bilinear)


def brings_in_black(slot: Slot) -> bool:
    """Return whether the slot shows what lies outside the image."""
    zero_shift = Code.SHIFT in slot.codes and slot.padding is Padding.ZERO
    return zero_shift or Code.WARP in slot.codes


def joins(segment: Segment, slot: Slot, slots: Sequence[Slot]) -> bool:
    """Return whether ``slot`` can be read through the moves of ``segment`` before it."""
    if not interpolates(slot):
        return True
    return all(set(slots[index].codes) <= {Code.FLIP_X, Code.FLIP_Y} for index in segment.slots)


def trade_places(paint: Slot, geometry: Slot) -> bool:
    """Return whether ``paint`` then ``geometry`` is the same as ``geometry`` then ``paint``."""
    if not all(code in POINTWISE for code in paint.codes):
        return False
    if brings_in_black(geometry):
        filled = geometry.warp is not None and any(geometry.warp.fill or ())
        if filled or not all(code in BLACK_STAYS_BLACK for code in paint.codes):
            return False
    return not interpolates(geometry) or all(code in KEEPS_MEANS for code in paint.codes)


def _latest_geometry(segments: Sequence[Segment]) -> int:
    for place in reversed(range(len(segments))):
        if segments[place].kind != "paint":
            return place
    return -1
