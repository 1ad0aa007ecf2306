"""Runs a program on batches: segments of geometry as one read, everything else slot by slot."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from windtunnel.augment.instruction import Code, Program, Slot, Table
from windtunnel.augment.op import Frame
from windtunnel.augment.torch_backend import colours, tones
from windtunnel.augment.torch_backend.coordinates import Coordinates, identity_coordinates, trace
from windtunnel.augment.torch_backend.plan import Segment, plan_segments
from windtunnel.augment.torch_backend.sampling import copy_bytes, copy_pixels, sample_between

Kernel = Callable[[Tensor, Tensor, Tensor, Slot], Tensor]

_PAINT: Mapping[Code, Kernel] = {
    Code.GRAY: colours.gray,
    Code.INVERT: colours.invert,
    Code.BRIGHTNESS: colours.blend,
    Code.CONTRAST: colours.blend,
    Code.SATURATION: colours.blend,
    Code.HUE: colours.hue,
    Code.SHARPNESS: tones.sharpen,
    Code.POSTERIZE: tones.posterize,
    Code.SOLARIZE: tones.solarize,
    Code.AUTOCONTRAST: tones.autocontrast,
    Code.EQUALIZE: tones.equalize,
    Code.BLUR: tones.blur,
}


@dataclass
class Canvas:
    """The images a program works on, and those a mixture of chains sets aside."""

    images: Float[Tensor, "b c h w"]
    original: Float[Tensor, "b c h w"] | None = None
    mixture: Float[Tensor, "b c h w"] | None = None


class TorchRunner:
    """Runs one program on batches of one frame; no data-dependent shapes, nothing waits for the device."""

    def __init__(self, program: Program, frame: Frame) -> None:
        self._program = program
        self._frame = frame
        self._offsets = program.offsets()
        self._segments = plan_segments(program.slots)

    def begins_with_bytes(self) -> bool:
        """Return whether the first pass only copies pixels, black where nothing shows."""
        if not self._segments or self._segments[0].kind != "copy":
            return False
        slots = [self._program.slots[index] for index in self._segments[0].slots]
        return not any(slot.warp is not None and any(slot.warp.fill or ()) for slot in slots)

    def run_bytes(
        self, pixels: UInt8[Tensor, "n h w c"], rows: Int64[Tensor, " b"], table: Table
    ) -> tuple[UInt8[Tensor, "b h w c"], int]:
        """Return the bytes of ``rows`` after as many passes as can be done on bytes, and how many they are."""
        if not self.begins_with_bytes():
            return pixels.index_select(0, rows), 0
        return copy_bytes(pixels, rows, self._trace(self._segments[0], table)), 1

    def passes(self) -> int:
        """Return how many passes the program takes."""
        return len(self._segments)

    def run(self, images: Float[Tensor, "b c h w"], table: Table, start: int = 0) -> Float[Tensor, "b c h w"]:
        """Return ``images`` (in 0..1) after the passes from ``start`` on."""
        canvas = Canvas(images)
        for segment in self._segments[start:]:
            if segment.kind == "copy":
                canvas.images = copy_pixels(canvas.images, self._trace(segment, table))
            elif segment.kind == "sample":
                canvas.images = sample_between(canvas.images, self._trace(segment, table))
            else:
                self._paint(canvas, segment.slots[0], table)
        return canvas.images

    def _columns(self, index: int, table: Table) -> tuple[Tensor, Tensor]:
        start = self._offsets[index]
        return table.codes[:, index], table.arguments[:, start : start + self._program.slots[index].width]

    def _trace(self, segment: Segment, table: Table) -> Coordinates:
        at = identity_coordinates(len(table.codes), self._frame, table.codes.device)
        for index in reversed(segment.slots):
            codes, arguments = self._columns(index, table)
            at = trace(at, self._program.slots[index], codes > 0, arguments, self._frame)
        return at

    def _paint(self, canvas: Canvas, index: int, table: Table) -> None:
        slot = self._program.slots[index]
        codes, arguments = self._columns(index, table)
        if slot.codes[0] in (Code.MIX_BEGIN, Code.CHAIN_END, Code.MIX_END):
            _mix_chains(canvas, slot.codes[0], arguments)
            return
        before = canvas.images
        for kernel, members in _kernels(slot).items():
            part = slot._replace(codes=members)
            if kernel is colours.blend and members == slot.codes:
                canvas.images = kernel(before, codes, arguments, part)
                continue
            chosen = _one_of(codes, members)[:, None, None, None]
            canvas.images = torch.where(chosen, kernel(before, codes, arguments, part), canvas.images)
        if Code.WARP in slot.codes:
            self._warp_some(canvas, before, slot, codes, arguments)
        if Code.FILL_BOX in slot.codes:
            inside = (codes > 0)[:, None, None] & _box_mask(arguments, self._frame)
            canvas.images = torch.where(inside[:, None], arguments[:, 4:, None, None], before)

    def _warp_some(self, canvas: Canvas, before: Tensor, slot: Slot, codes: Tensor, arguments: Tensor) -> None:
        on = codes == Code.WARP
        at = identity_coordinates(len(codes), self._frame, codes.device)
        at = trace(at, slot._replace(codes=(Code.WARP,)), on, arguments, self._frame)
        assert slot.warp is not None
        read = sample_between if slot.warp.bilinear else copy_pixels
        canvas.images = torch.where(on[:, None, None, None], read(before, at), canvas.images)


def _kernels(slot: Slot) -> dict[Kernel, tuple[Code, ...]]:
    grouped: dict[Kernel, tuple[Code, ...]] = {}
    for code in slot.codes:
        if code in _PAINT:
            grouped[_PAINT[code]] = (*grouped.get(_PAINT[code], ()), code)
    return grouped


def _one_of(codes: Tensor, members: tuple[Code, ...]) -> Tensor:
    chosen = codes == members[0]
    for member in members[1:]:
        chosen = chosen | (codes == member)
    return chosen


def _mix_chains(canvas: Canvas, code: Code, arguments: Tensor) -> None:
    if code is Code.MIX_END:
        assert canvas.mixture is not None
        canvas.images = canvas.mixture
        return
    weighted = canvas.images * arguments[:, 0, None, None, None]
    if code is Code.MIX_BEGIN:
        canvas.original, canvas.mixture = canvas.images, weighted
    else:
        assert canvas.mixture is not None and canvas.original is not None
        canvas.images, canvas.mixture = canvas.original, canvas.mixture + weighted


def _box_mask(arguments: Float[Tensor, "b k"], frame: Frame) -> Tensor:
    top, left, height, width = (value[:, None, None] for value in arguments[:, :4].unbind(1))
    y = torch.arange(frame.height, device=arguments.device).view(1, -1, 1) - top
    x = torch.arange(frame.width, device=arguments.device).view(1, 1, -1) - left
    return (y >= 0) & (y < height) & (x >= 0) & (x < width)
