"""Runs a program on images, one after the other: every slot while the image is in the core's cache."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from windtunnel.augment.instruction import Code
from windtunnel.augment.numba_backend import paints, warps
from windtunnel.augment.numba_backend.compiled import ONE, ZERO, compiled, entry_point

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]

# numba reads plain integers of a module as constants, but no members of an enumeration
_FLIP_X, _FLIP_Y, _SHIFT, _WARP = int(Code.FLIP_X), int(Code.FLIP_Y), int(Code.SHIFT), int(Code.WARP)
_RESIZED_CROP, _GRAY, _INVERT = int(Code.RESIZED_CROP), int(Code.GRAY), int(Code.INVERT)
_BRIGHTNESS, _CONTRAST = int(Code.BRIGHTNESS), int(Code.CONTRAST)
_SATURATION, _HUE, _SHARPNESS = int(Code.SATURATION), int(Code.HUE), int(Code.SHARPNESS)
_POSTERIZE, _SOLARIZE = int(Code.POSTERIZE), int(Code.SOLARIZE)
_AUTOCONTRAST, _EQUALIZE = int(Code.AUTOCONTRAST), int(Code.EQUALIZE)
_BLUR, _FILL_BOX = int(Code.BLUR), int(Code.FILL_BOX)
_WHITE = np.float32(255)
_MIX_BEGIN, _CHAIN_END, _MIX_END = int(Code.MIX_BEGIN), int(Code.CHAIN_END), int(Code.MIX_END)


class Scratch(NamedTuple):
    """Room for one image at work."""

    padded: Floats
    xs: Floats
    ys: Floats
    shown: Floats
    places: Integers
    columns: Integers
    next_columns: Integers
    row: Floats
    shares: Floats
    small: Floats


@compiled
def make_scratch(channels: int, height: int, width: int) -> Scratch:
    """Return room for images of one size."""
    pixels = height * width
    return Scratch(
        np.zeros((channels, (height + 3) * (width + 3)), np.float32),
        np.empty(pixels, np.float32),
        np.empty(pixels, np.float32),
        np.empty(pixels, np.float32),
        np.empty(pixels, np.int32),
        np.empty(width, np.int32),
        np.empty(width, np.int32),
        np.empty(width, np.float32),
        np.empty(width, np.float32),
        np.empty(256, np.float32),
    )


@compiled
def move(
    code: int,
    source: Floats,
    target: Floats,
    arguments: Floats,
    constants: Floats,
    height: int,
    width: int,
    scratch: Scratch,
) -> bool:
    """Do ``code`` if it moves pixels, from ``source`` to ``target``; return whether it did."""
    if code == _FLIP_X:
        warps.flip_x(source, target, height, width)
    elif code == _FLIP_Y:
        warps.flip_y(source, target, height, width)
    elif code == _SHIFT:
        warps.shift(source, target, arguments, int(constants[0]), height, width, scratch.columns)
    elif code == _RESIZED_CROP:
        warps.resized_crop(
            source, target, arguments, height, width,
            scratch.row, scratch.columns, scratch.next_columns, scratch.shares,
        )  # fmt: skip
    elif code == _WARP and constants[0] > 0:
        warps.warp_bilinear(
            source, target, arguments, constants, height, width,
            scratch.xs, scratch.ys, scratch.shown, scratch.places, scratch.padded,
        )  # fmt: skip
    elif code == _WARP:
        warps.warp_nearest(source, target, arguments, constants, height, width, scratch.xs, scratch.ys, scratch.places)
    else:
        return False
    return True


@compiled
def paint(
    code: int,
    planes: Floats,
    arguments: Floats,
    constants: Floats,
    height: int,
    width: int,
    scratch: Scratch,
) -> None:
    """Do ``code`` if it changes values, in place."""
    if code == _GRAY:
        paints.gray(planes, scratch.xs)
    elif code == _INVERT:
        paints.invert(planes)
    elif code == _BRIGHTNESS:
        paints.brightness(planes, arguments[0])
    elif code == _CONTRAST:
        paints.contrast(planes, arguments[0], scratch.xs)
    elif code == _SATURATION:
        paints.saturation(planes, arguments[0], scratch.xs)
    elif code == _HUE:
        paints.hue(planes, arguments[0])
    elif code == _FILL_BOX:
        paints.fill_box(planes, arguments, height, width)
    elif code == _BLUR:
        paints.blur(planes, arguments[0], int(constants[0]), height, width, scratch.xs, scratch.small)
    else:
        retouch(code, planes, arguments, height, width, scratch)


@compiled
def retouch(code: int, planes: Floats, arguments: Floats, height: int, width: int, scratch: Scratch) -> None:
    """Do ``code`` if it changes tones, in place."""
    if code == _SHARPNESS:
        paints.sharpen(planes, arguments[0], height, width, scratch.xs)
    elif code == _POSTERIZE:
        paints.posterize(planes, arguments[0])
    elif code == _SOLARIZE:
        paints.solarize(planes, arguments[0])
    elif code == _AUTOCONTRAST:
        paints.autocontrast(planes)
    elif code == _EQUALIZE:
        paints.equalize(planes, scratch.small)


@compiled
def mix(code: int, planes: Floats, weight: np.float32, original: Floats, mixture: Floats) -> None:
    """Do ``code`` if it belongs to a mixture of chains."""
    for c in range(planes.shape[0]):
        plane, total = planes[c], mixture[c]
        if code == _MIX_BEGIN:
            original[c] = plane
            for i in range(plane.shape[0]):
                total[i] = plane[i] * weight
        elif code == _CHAIN_END:
            for i in range(plane.shape[0]):
                total[i] += plane[i] * weight
            plane[:] = original[c]
        else:
            plane[:] = total


@compiled
def load(pixels: NDArray[np.uint8] | Floats, planes: Floats, whole: np.float32) -> None:
    """Write the planes of an image (h * w * c); ``whole`` is the value of white."""
    channels = planes.shape[0]
    if channels == 3:
        red, green, blue = planes[0], planes[1], planes[2]
        for i in range(planes.shape[1]):
            red[i] = np.float32(pixels[3 * i]) / whole
            green[i] = np.float32(pixels[3 * i + 1]) / whole
            blue[i] = np.float32(pixels[3 * i + 2]) / whole
    else:
        plane = planes[0]
        for i in range(planes.shape[1]):
            plane[i] = np.float32(pixels[i]) / whole


@compiled
def store(planes: Floats, out: Floats, scale: Floats, offset: Floats, last: bool) -> None:
    """Write the normalised image, channels ``last`` or first."""
    channels, count = planes.shape
    if not last or channels == 1:
        for c in range(channels):
            plane, part = planes[c], out[c * count : (c + 1) * count]
            for i in range(count):
                part[i] = plane[i] * scale[c] + offset[c]
        return
    red, green, blue = planes[0], planes[1], planes[2]
    for i in range(count):
        out[3 * i] = red[i] * scale[0] + offset[0]
        out[3 * i + 1] = green[i] * scale[1] + offset[1]
        out[3 * i + 2] = blue[i] * scale[2] + offset[2]


@entry_point
def render(
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
    """Write the augmented and normalised images ``rows`` (n, h * w * c) to ``out`` (b, h * w * c).

    Args:
        pixels: the images as bytes, channels last; without any they are ``reals``.
        reals: the images in 0..1, channels last.
        rows: images to write.
        codes: what each does in each slot (b, slots).
        arguments: numbers of all slots in a row (b, width).
        offsets: where the numbers of each slot begin, and where the last end.
        constants: numbers of each slot that are the same for all images (slots, 6).
        size: channels, height, width.
        scale: 1 / std of each channel.
        offset: -mean / std of each channel.
        last: write channels last, else first.
        out: the batch.
    """
    channels, height, width = size
    pixel_count = height * width
    planes = np.empty((channels, pixel_count), np.float32)
    spare = np.empty((channels, pixel_count), np.float32)
    chains = 0
    for slot in range(codes.shape[1]):
        if codes.shape[0] and codes[0, slot] >= _MIX_BEGIN:
            chains = channels
    original = np.empty((chains, pixel_count), np.float32)
    mixture = np.empty((chains, pixel_count), np.float32)
    scratch = make_scratch(channels, height, width)
    for image in range(rows.shape[0]):
        if pixels.shape[0] > 0:
            load(pixels[rows[image]], planes, _WHITE)
        else:
            load(reals[rows[image]], planes, ONE)
        for slot in range(codes.shape[1]):
            code = codes[image, slot]
            if code == 0:
                continue
            own = arguments[image, offsets[slot] : offsets[slot + 1]]
            if move(code, planes, spare, own, constants[slot], height, width, scratch):
                planes, spare = spare, planes
            elif code >= _MIX_BEGIN:
                mix(code, planes, own[0] if own.shape[0] else ZERO, original, mixture)
            else:
                paint(code, planes, own, constants[slot], height, width, scratch)
        store(planes, out[image], scale, offset, last)
