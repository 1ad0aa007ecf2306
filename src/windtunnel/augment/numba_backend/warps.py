"""Moving pixels of one image. Planes are (c, h * w) float32; ``source`` is only read."""

import numpy as np
from numpy.typing import NDArray

from windtunnel.augment.numba_backend.compiled import HALF, ONE, ZERO, compiled

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]


@compiled
def flip_x(source: Floats, target: Floats, height: int, width: int) -> None:
    """Mirror left and right."""
    for c in range(source.shape[0]):
        read, out = source[c], target[c]
        for y in range(height):
            start, last = y * width, (y + 1) * width - 1
            for x in range(width):
                out[start + x] = read[last - x]


@compiled
def flip_y(source: Floats, target: Floats, height: int, width: int) -> None:
    """Mirror top and bottom."""
    for c in range(source.shape[0]):
        for y in range(height):
            z = height - 1 - y
            target[c, y * width : (y + 1) * width] = source[c, z * width : (z + 1) * width]


@compiled
def place(index: int, size: int, padding: int) -> int:
    """Return the pixel that stands at ``index`` of an axis padded with 0 black (-1), 1 reflection, 2 edges."""
    if padding == 1:
        return (size - 1) - abs(size - 1 - abs(index))
    if padding == 2:
        return min(max(index, 0), size - 1)
    return index if 0 <= index < size else -1


@compiled
def shift(
    source: Floats, target: Floats, arguments: Floats, padding: int, height: int, width: int, columns: Integers
) -> None:
    """Read from (top, left) on."""
    top, left = int(arguments[0]), int(arguments[1])
    for x in range(width):
        columns[x] = place(x + left, width, padding)
    for y in range(height):
        from_y = place(y + top, height, padding)
        for c in range(source.shape[0]):
            row = target[c, y * width : (y + 1) * width]
            if from_y < 0:
                row[:] = ZERO
            else:
                read = source[c, from_y * width : (from_y + 1) * width]
                for x in range(width):
                    row[x] = read[columns[x]] if columns[x] >= 0 else ZERO


@compiled
def _stretch(index: int, size: int, length: np.float32) -> np.float32:
    at = (np.float32(index) + HALF) * (length / np.float32(size)) - HALF
    return min(max(at, ZERO), length - ONE)


@compiled
def resized_crop(
    source: Floats,
    target: Floats,
    arguments: Floats,
    height: int,
    width: int,
    row: Floats,
    columns: Integers,
    next_columns: Integers,
    shares: Floats,
) -> None:
    """Stretch the box (top, left, height, width) to the image: rows first, then along each row."""
    top, left = int(arguments[0]), int(arguments[1])
    box_height, box_width = arguments[2], arguments[3]
    for x in range(width):
        at = _stretch(x, width, box_width)
        columns[x] = left + int(at)
        next_columns[x] = left + min(int(at) + 1, int(box_width) - 1)
        shares[x] = at - np.floor(at)
    for y in range(height):
        at = _stretch(y, height, box_height)
        first = (top + int(at)) * width
        second = (top + min(int(at) + 1, int(box_height) - 1)) * width
        share = at - np.floor(at)
        for c in range(source.shape[0]):
            upper, lower = source[c, first : first + width], source[c, second : second + width]
            for x in range(width):
                row[x] = upper[x] + (lower[x] - upper[x]) * share
            out = target[c, y * width : (y + 1) * width]
            for x in range(width):
                near = row[columns[x]]
                out[x] = near + (row[next_columns[x]] - near) * shares[x]


@compiled
def trace_warp(
    arguments: Floats, projective: bool, height: int, width: int, offset: np.float32, xs: Floats, ys: Floats
) -> None:
    """Write where each pixel comes from, plus ``offset``."""
    xx, xy, x0, yx, yy, y0 = (
        arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5],
    )  # fmt: skip
    gx, gy = arguments[6], arguments[7]
    for y in range(height):
        down = np.float32(y)
        at_x, at_y, depth = xy * down + x0, yy * down + y0, gy * down + ONE
        row_x, row_y = xs[y * width : (y + 1) * width], ys[y * width : (y + 1) * width]
        if projective:
            for x in range(width):
                across = np.float32(np.int32(x))
                near = ONE / (gx * across + depth)
                row_x[x] = (xx * across + at_x) * near + offset
                row_y[x] = (yx * across + at_y) * near + offset
        else:
            for x in range(width):
                across = np.float32(np.int32(x))
                row_x[x] = xx * across + at_x + offset
                row_y[x] = yx * across + at_y + offset


@compiled
def warp_nearest(
    source: Floats,
    target: Floats,
    arguments: Floats,
    constants: Floats,
    height: int,
    width: int,
    xs: Floats,
    ys: Floats,
    index: Integers,
) -> None:
    """Read the nearest pixel through a homography, or the fill outside the image."""
    trace_warp(arguments, constants[1] > 0, height, width, ZERO, xs, ys)
    high_x, high_y, stride = np.float32(width - 1), np.float32(height - 1), np.float32(width)
    for i in range(height * width):
        x, y = np.rint(xs[i]), np.rint(ys[i])
        inside_x, inside_y = min(max(x, ZERO), high_x), min(max(y, ZERO), high_y)
        xs[i] = ONE if (x == inside_x and y == inside_y) else ZERO
        index[i] = np.int32(inside_y * stride + inside_x)
    last = np.int32(height * width - 1)
    for i in range(height * width):
        index[i] = min(max(index[i], np.int32(0)), last)
    for c in range(source.shape[0]):
        read, out = source[c], target[c]
        for i in range(height * width):
            out[i] = read[index[i]]
        fill = constants[3 + c]
        for i in range(height * width):
            out[i] = (out[i] - fill) * xs[i] + fill


@compiled
def warp_bilinear(
    source: Floats,
    target: Floats,
    arguments: Floats,
    constants: Floats,
    height: int,
    width: int,
    xs: Floats,
    ys: Floats,
    shown: Floats,
    index: Integers,
    padded: Floats,
) -> None:
    """Read between pixels through a homography.

    ``padded`` (c, (h + 3) * (w + 3)) holds the image with a black margin, so that no read is out of bounds.
    With a fill the border is weighted twice, as torchvision does.
    """
    stride = width + 3
    trace_warp(arguments, constants[1] > 0, height, width, ONE, xs, ys)
    _split(xs, ys, shown, index, height, width)
    for c in range(source.shape[0]):
        plane = padded[c]
        for y in range(height):
            start = (y + 1) * stride + 1
            plane[start : start + width] = source[c, y * width : (y + 1) * width]
        out = target[c]
        for i in range(height * width):
            k = index[i]
            upper = plane[k] + (plane[k + 1] - plane[k]) * xs[i]
            lower = plane[k + stride] + (plane[k + stride + 1] - plane[k + stride]) * xs[i]
            out[i] = upper + (lower - upper) * ys[i]
        if constants[2] > 0:
            fill = constants[3 + c]
            for i in range(height * width):
                out[i] = (out[i] - fill) * shown[i] + fill


@compiled
def _split(xs: Floats, ys: Floats, shown: Floats, index: Integers, height: int, width: int) -> None:
    """Turn padded coordinates into the index of the upper left pixel, two shares and what shows."""
    high_x, high_y, stride = np.float32(width + 1), np.float32(height + 1), np.float32(width + 3)
    for i in range(height * width):
        inside_x = min(max(min(xs[i], high_x - xs[i]), ZERO), ONE)
        inside_y = min(max(min(ys[i], high_y - ys[i]), ZERO), ONE)
        shown[i] = inside_x * inside_y
    for i in range(height * width):
        x, y = min(max(xs[i], ZERO), high_x), min(max(ys[i], ZERO), high_y)
        left, top = np.floor(x), np.floor(y)
        xs[i], ys[i] = x - left, y - top
        index[i] = np.int32(top * stride + left)
    last = np.int32((height + 1) * (width + 3) + width + 1)
    for i in range(height * width):
        index[i] = min(max(index[i], np.int32(0)), last)
