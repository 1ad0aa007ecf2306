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


def _build_walk(matrix: NDArray[np.float64], *, pastes: bool, add: bool = False) -> Callable[..., None]:
    """Return what goes over the squares of an image, 4 pixels apart, and over tiles from number ``tile`` on.

    It turns the squares into tiles, or with ``pastes`` the tiles into squares, which ``add`` adds to what is there.
    """
    wide, narrow = (build_transform(matrix, lanes=lanes, add=add, target_first=pastes) for lanes in (16, 8))
    size = matrix.shape[1 if pastes else 0]

    def walk(image: Floats, across: int, block: int, stride: int, room: int, tile: int) -> None:
        channels = image.shape[2]
        row = image.shape[1] * channels
        for number in range(across * across):
            y, x = OUTPUT_TILE * (number // across), OUTPUT_TILE * (number % across)
            square = image.ctypes.data + 4 * (y * row + x * channels)
            start = 0
            while start < channels:
                width = width_of(channels - start)
                place = block + 4 * (start * room + (tile + number) * width)
                for channel in range(0, width, 16):
                    if width >= 16:
                        wide(square + 4 * channel, row, channels, place + 4 * channel, size * stride, stride)
                    else:
                        narrow(square, row, channels, place, size * stride, stride)
                start += width
                square += 4 * width

    return compiled(walk)


cut_inputs = _build_walk(INPUT, pastes=False)
paste_outputs = _build_walk(OUTPUT, pastes=True)
cut_output_gradients = _build_walk(OUTPUT.T, pastes=False)
paste_input_gradients = _build_walk(INPUT.T, pastes=True, add=True)
