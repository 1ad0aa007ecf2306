"""Images cut into tiles and put together again. Images and gradients are (h, w, c), tiles lie in panels.

A block of tiles is :data:`PRODUCTS` matrices of (tiles, channels), ``stride`` floats from one to the next.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from windtunnel.models.winograd.compiled import compiled
from windtunnel.models.winograd.matrices import INPUT, OUTPUT, OUTPUT_TILE
from windtunnel.models.winograd.panels import width_of
from windtunnel.models.winograd.vectors import build_transform

Floats = NDArray[np.float32]


def _build_cut(matrix: NDArray[np.float64]) -> Callable[..., None]:
    """Return what turns the squares of an image, 4 pixels apart, into tiles from number ``tile`` on."""
    wide, narrow = (build_transform(matrix, lanes=lanes, add=False) for lanes in (16, 8))
    size = matrix.shape[0]

    def cut(image: Floats, across: int, block: int, stride: int, room: int, tile: int) -> None:
        channels = image.shape[2]
        row = image.shape[1] * channels
        for number in range(across * across):
            y, x = OUTPUT_TILE * (number // across), OUTPUT_TILE * (number % across)
            source = image.ctypes.data + 4 * (y * row + x * channels)
            start = 0
            while start < channels:
                width = width_of(channels - start)
                target = block + 4 * (start * room + (tile + number) * width)
                for channel in range(0, width, 16):
                    if width >= 16:
                        wide(source + 4 * channel, row, channels, target + 4 * channel, size * stride, stride)
                    else:
                        narrow(source, row, channels, target, size * stride, stride)
                start += width
                source += 4 * width

    return compiled(cut)


def _build_paste(matrix: NDArray[np.float64], *, add: bool) -> Callable[..., None]:
    """Return what turns tiles from number ``tile`` on into squares of an image, 4 pixels apart, or adds them there."""
    wide, narrow = (build_transform(matrix, lanes=lanes, add=add) for lanes in (16, 8))
    size = matrix.shape[1]

    def paste(image: Floats, across: int, block: int, stride: int, room: int, tile: int) -> None:
        channels = image.shape[2]
        row = image.shape[1] * channels
        for number in range(across * across):
            y, x = OUTPUT_TILE * (number // across), OUTPUT_TILE * (number % across)
            target = image.ctypes.data + 4 * (y * row + x * channels)
            start = 0
            while start < channels:
                width = width_of(channels - start)
                source = block + 4 * (start * room + (tile + number) * width)
                for channel in range(0, width, 16):
                    if width >= 16:
                        wide(source + 4 * channel, size * stride, stride, target + 4 * channel, row, channels)
                    else:
                        narrow(source, size * stride, stride, target, row, channels)
                start += width
                target += 4 * width

    return compiled(paste)


cut_inputs = _build_cut(INPUT)
paste_outputs = _build_paste(OUTPUT, add=False)
cut_output_gradients = _build_cut(OUTPUT.T)
paste_input_gradients = _build_paste(INPUT.T, add=True)
