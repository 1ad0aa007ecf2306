"""Changing the values of one image in place. Planes are (c, h * w) float32 in 0..1."""

import numpy as np
from numpy.typing import NDArray

from windtunnel.augment.numba_backend.compiled import FOUR, HALF, ONE, SIX, TWO, ZERO, compiled

Floats = NDArray[np.float32]
_RED, _GREEN, _BLUE = np.float32(0.2989), np.float32(0.587), np.float32(0.114)
_LEVELS = np.float32(256)


@compiled
def clamp(value: np.float32) -> np.float32:
    """Return ``value`` brought into 0..1."""
    return min(max(value, ZERO), ONE)


@compiled
def luma(planes: Floats, grey: Floats) -> None:
    """Write the grey value of each pixel."""
    if planes.shape[0] == 1:
        grey[:] = planes[0]
        return
    red, green, blue = planes[0], planes[1], planes[2]
    for i in range(grey.shape[0]):
        grey[i] = red[i] * _RED + green[i] * _GREEN + blue[i] * _BLUE


@compiled
def gray(planes: Floats, grey: Floats) -> None:
    """Give every channel the grey value."""
    luma(planes, grey)
    for c in range(planes.shape[0]):
        planes[c] = grey


@compiled
def invert(planes: Floats) -> None:
    """Turn white into black."""
    for c in range(planes.shape[0]):
        plane = planes[c]
        for i in range(plane.shape[0]):
            plane[i] = ONE - plane[i]


@compiled
def brightness(planes: Floats, factor: np.float32) -> None:
    """Multiply."""
    for c in range(planes.shape[0]):
        plane = planes[c]
        for i in range(plane.shape[0]):
            plane[i] = clamp(plane[i] * factor)


@compiled
def contrast(planes: Floats, factor: np.float32, grey: Floats) -> None:
    """Blend with the mean grey."""
    luma(planes, grey)
    total = ZERO
    for i in range(grey.shape[0]):
        total += grey[i]
    added = total / np.float32(grey.shape[0]) * (ONE - factor)
    for c in range(planes.shape[0]):
        plane = planes[c]
        for i in range(plane.shape[0]):
            plane[i] = clamp(plane[i] * factor + added)


@compiled
def saturation(planes: Floats, factor: np.float32, grey: Floats) -> None:
    """Blend with the grey image."""
    if planes.shape[0] == 1:
        return
    luma(planes, grey)
    rest = ONE - factor
    for c in range(planes.shape[0]):
        plane = planes[c]
        for i in range(plane.shape[0]):
            plane[i] = clamp(plane[i] * factor + grey[i] * rest)


@compiled
def _wrap(value: np.float32, period: np.float32) -> np.float32:
    return value - period * np.floor(value / period)


@compiled
def _channel(value: np.float32, chroma: np.float32, along: np.float32) -> np.float32:
    return value - chroma * clamp(min(along, FOUR - along))


@compiled
def hue(planes: Floats, turn: np.float32) -> None:
    """Turn the hue by a part of the colour circle."""
    if planes.shape[0] == 1:
        return
    red, green, blue = planes[0], planes[1], planes[2]
    for i in range(red.shape[0]):
        r, g, b = red[i], green[i], blue[i]
        value, low = max(r, max(g, b)), min(r, min(g, b))
        spread = value - low
        divisor = ONE if spread == ZERO else spread
        angle = (b - r) / divisor + TWO if value == g else (r - g) / divisor + FOUR
        angle = (g - b) / divisor if value == r else angle
        angle = _wrap(_wrap(angle / SIX + ONE, ONE) + turn, ONE) * SIX
        red[i] = _channel(value, spread, _wrap(np.float32(5) + angle, SIX))
        green[i] = _channel(value, spread, _wrap(np.float32(3) + angle, SIX))
        blue[i] = _channel(value, spread, _wrap(ONE + angle, SIX))


@compiled
def posterize(planes: Floats, levels: np.float32) -> None:
    """Round down to a number of levels."""
    step = ONE / levels
    for c in range(planes.shape[0]):
        plane = planes[c]
        for i in range(plane.shape[0]):
            plane[i] = min(max(np.floor(plane[i] * levels), ZERO), levels - ONE) * step


@compiled
def solarize(planes: Floats, threshold: np.float32) -> None:
    """Invert from a threshold on."""
    for c in range(planes.shape[0]):
        plane = planes[c]
        for i in range(plane.shape[0]):
            plane[i] = ONE - plane[i] if plane[i] >= threshold else plane[i]


@compiled
def autocontrast(planes: Floats) -> None:
    """Stretch each channel to 0..1; a channel of one value stays as it is."""
    for c in range(planes.shape[0]):
        plane = planes[c]
        low, high = plane[0], plane[0]
        for i in range(plane.shape[0]):
            low, high = min(low, plane[i]), max(high, plane[i])
        if high > low:
            spread = high - low
            for i in range(plane.shape[0]):
                plane[i] = clamp((plane[i] - low) / spread)


@compiled
def _level(value: np.float32) -> int:
    """Return which of 256 levels ``value`` is at: one that there is, also for unchecked values beyond 0..1 and NaN."""
    scaled = value * np.float32(255.999)
    if scaled >= _LEVELS:
        return 255
    return int(scaled) if scaled > ZERO else 0


@compiled
def equalize(planes: Floats, table: Floats) -> None:
    """Flatten the histogram of each channel at 256 levels, by Pillow's rule. ``table`` holds 256 numbers."""
    pixels = planes.shape[1]
    for c in range(planes.shape[0]):
        plane = planes[c]
        table[:256] = ZERO
        highest = 0
        for i in range(pixels):
            level = _level(plane[i])
            table[level] += ONE
            highest = max(highest, level)
        step = (pixels - int(table[highest])) // 255
        before = 0
        for level in range(256):
            count = int(table[level])
            entry = min((before + step // 2) // step, 255) if step > 0 else level
            table[level] = np.float32(entry) / np.float32(255)
            before += count
        for i in range(pixels):
            plane[i] = table[_level(plane[i])]


@compiled
def fill_box(planes: Floats, arguments: Floats, height: int, width: int) -> None:
    """Set the box (top, left, height, width) to (one value a channel)."""
    top, left = int(arguments[0]), int(arguments[1])
    bottom, right = min(top + int(arguments[2]), height), min(left + int(arguments[3]), width)
    for c in range(planes.shape[0]):
        for y in range(max(top, 0), bottom):
            planes[c, y * width + max(left, 0) : y * width + right] = arguments[4 + c]


@compiled
def sharpen(planes: Floats, factor: np.float32, height: int, width: int, box: Floats) -> None:
    """Blend with the mean of each pixel's surroundings, itself counted five times; edges stay."""
    if height <= 2 or width <= 2:
        return
    part, rest = ONE / np.float32(13), ONE - factor
    for c in range(planes.shape[0]):
        plane = planes[c]
        for i in range(width, (height - 1) * width):
            box[i] = plane[i - width] + plane[i] + plane[i + width]
        for y in range(1, height - 1):
            row, sums = plane[y * width : (y + 1) * width], box[y * width : (y + 1) * width]
            for x in range(1, width - 1):
                smooth = (sums[x - 1] + sums[x] + sums[x + 1] + FOUR * row[x]) * part
                row[x] = row[x] + rest * (smooth - row[x])
        for i in range(plane.shape[0]):
            plane[i] = clamp(plane[i])


@compiled
def _reflected(index: int, size: int) -> int:
    return (size - 1) - abs(size - 1 - abs(index))


@compiled
def _gaussian(sigma: np.float32, size: int, kernel: Floats) -> None:
    total = ZERO
    for k in range(size):
        away = np.float32(k - size // 2) / sigma
        kernel[k] = np.exp(-away * away * HALF)
        total += kernel[k]
    for k in range(size):
        kernel[k] /= total


@compiled
def blur(planes: Floats, sigma: np.float32, size: int, height: int, width: int, rows: Floats, kernel: Floats) -> None:
    """Convolve with a Gaussian, along columns and then along rows, reflecting at the edges."""
    _gaussian(sigma, size, kernel)
    reach = size // 2
    for c in range(planes.shape[0]):
        plane = planes[c]
        rows[:] = ZERO
        for y in range(height):
            out = rows[y * width : (y + 1) * width]
            for k in range(size):
                start = _reflected(y + k - reach, height) * width
                weight, read = kernel[k], plane[start : start + width]
                for x in range(width):
                    out[x] += read[x] * weight
        for y in range(height):
            read, out = rows[y * width : (y + 1) * width], plane[y * width : (y + 1) * width]
            _blur_row(read, out, kernel, size)


@compiled
def _blur_row(read: Floats, out: Floats, kernel: Floats, size: int) -> None:
    width, reach = read.shape[0], size // 2
    for x in range(width):
        total = ZERO
        if reach <= x < width - reach:
            for k in range(size):
                total += read[x + k - reach] * kernel[k]
        else:
            for k in range(size):
                total += read[_reflected(x + k - reach, width)] * kernel[k]
        out[x] = total
