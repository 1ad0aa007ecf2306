"""Shifting and mirroring: each pixel is a copy of another one, so bytes become a normalised batch in one pass."""

import numpy as np
from numpy.typing import NDArray

from windtunnel.augment.instruction import Code
from windtunnel.augment.numba_backend.compiled import ONE, compiled, entry_point
from windtunnel.augment.numba_backend.warps import place

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]
_FLIP_X, _FLIP_Y, _SHIFT = int(Code.FLIP_X), int(Code.FLIP_Y), int(Code.SHIFT)


@compiled
def trace_axis(
    index: Integers,
    codes: NDArray[np.int8],
    arguments: Floats,
    offsets: NDArray[np.int64],
    constants: Floats,
    axis: int,
) -> None:
    """Write which row (axis 0) or column (axis 1) each one of the output is, -1 for black."""
    size = index.shape[0]
    for i in range(size):
        at = i
        for slot in range(codes.shape[0] - 1, -1, -1):
            if codes[slot] == _SHIFT and at >= 0:
                at = place(at + int(arguments[offsets[slot] + axis]), size, int(constants[slot, 0]))
            elif codes[slot] == (_FLIP_X if axis == 1 else _FLIP_Y) and at >= 0:
                at = size - 1 - at
        index[i] = at


@entry_point
def copy_bytes(
    pixels: NDArray[np.uint8],
    reals: Floats,
    rows: NDArray[np.int64],
    codes: NDArray[np.int8],
    arguments: Floats,
    offsets: NDArray[np.int64],
    constants: Floats,
    size: tuple[int, int, int],
    scale: Floats,
    offset: Floats,
    last: bool,
    out: Floats,
) -> None:
    """Write the moved and normalised images ``rows``; arguments as in ``interpret.render``."""
    channels, height, width = size
    lines, columns = np.empty(height, np.int32), np.empty(width, np.int32)
    white = np.float32(255) if pixels.shape[0] > 0 else ONE
    factors, shifts, row = _row_constants(channels, width, white, scale, offset)
    for image in range(rows.shape[0]):
        trace_axis(lines, codes[image], arguments[image], offsets, constants, 0)
        trace_axis(columns, codes[image], arguments[image], offsets, constants, 1)
        target = out[image]
        for x in range(width):  # black is one pixel beyond the row
            columns[x] = channels * (columns[x] if columns[x] >= 0 else width)
        for y in range(height):
            if lines[y] >= 0:
                start = lines[y] * width * channels
                if pixels.shape[0] > 0:
                    _scale_row(pixels[rows[image], start : start + width * channels], factors, shifts, row)
                else:
                    _scale_row(reals[rows[image], start : start + width * channels], factors, shifts, row)
            else:
                row[: width * channels] = shifts[: width * channels]
            if last:
                _write_pixels(row, columns, target[y * width * channels : (y + 1) * width * channels])
            else:
                _write_planes(row, columns, target, y, height)


@compiled
def _row_constants(
    channels: int, width: int, white: np.float32, scale: Floats, offset: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return what a row of bytes is multiplied by, what is added, and a row that ends in a black pixel."""
    factors = np.empty((width + 1) * channels, np.float32)
    shifts = np.empty((width + 1) * channels, np.float32)
    for i in range(factors.shape[0]):
        factors[i] = scale[i % channels] / white
        shifts[i] = offset[i % channels]
    return factors, shifts, shifts.copy()


@compiled
def _scale_row(read: NDArray[np.uint8] | Floats, factors: Floats, shifts: Floats, row: Floats) -> None:
    for i in range(read.shape[0]):
        row[i] = np.float32(read[i]) * factors[i] + shifts[i]


@compiled
def _write_pixels(row: Floats, columns: Integers, target: Floats) -> None:
    if target.shape[0] == columns.shape[0]:
        for x in range(columns.shape[0]):
            target[x] = row[columns[x]]
        return
    for x in range(columns.shape[0]):
        at = columns[x]
        target[3 * x] = row[at]
        target[3 * x + 1] = row[at + 1]
        target[3 * x + 2] = row[at + 2]


@compiled
def _write_planes(row: Floats, columns: Integers, target: Floats, y: int, height: int) -> None:
    width = columns.shape[0]
    for c in range(target.shape[0] // (height * width)):
        start = (c * height + y) * width
        for x in range(width):
            target[start + x] = row[columns[x] + c]
