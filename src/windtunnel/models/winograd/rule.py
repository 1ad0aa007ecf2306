"""Which convolutions are worth it and how their work is cut: by shapes alone, so that a run can be repeated to the bit.

Chosen from the measurements in ``docs/winograd.md``.
"""

import math
from collections.abc import Sequence

from windtunnel.models.winograd.matrices import OUTPUT_TILE, PRODUCTS

_CHANNELS_STEP = 8
_MANY_CHANNELS = 128
_FEWEST_TILES, _FEWEST_TILES_OF_MANY = 128, 64
_SAVING, _SAVING_OF_MANY = 2.5, 2.25
_TAPS = 9
_FLOAT_BYTES = 4

# filters that a core's own cache cannot hold are read from beyond it for every block, so that blocks have to be large
_LARGE_FILTERS = 2**15
_TILES_TOGETHER, _TILES_TOGETHER_LARGE = 16, 96
_MOST_PARTS, _PARTS_BYTES, _TILES_OF_A_PART = 16, 64 * 2**20, 128


def is_worth_it(shape: Sequence[int], outputs: int, padding: int) -> bool:
    """Return whether images of ``shape`` (b, c, h, w) are to be convolved to ``outputs`` channels this way.

    Both numbers of channels are multiples of 8, the batch has 128 tiles or more, and there are 2.5 times fewer
    multiplications, those of tiles that stick out counted. With 128 channels or more on both sides 64 tiles and 2.25
    times fewer do.

    >>> is_worth_it((512, 64, 15, 15), 64, 1), is_worth_it((512, 3, 32, 32), 64, 1), is_worth_it((512, 64, 6, 6), 64, 1)
    (True, False, False)
    """
    count, inputs, height, width = shape
    if inputs % _CHANNELS_STEP or outputs % _CHANNELS_STEP:
        return False
    tiles = _tiles(height, width, padding)
    if tiles == 0:  # smaller than the filter; torch says so
        return False
    saving = _TAPS * (height + 2 * padding - 2) * (width + 2 * padding - 2) / (PRODUCTS * tiles)
    if min(inputs, outputs) < _MANY_CHANNELS:
        return tiles * count >= _FEWEST_TILES and saving >= _SAVING
    return tiles * count >= _FEWEST_TILES_OF_MANY and saving >= _SAVING_OF_MANY


def block_images(shape: Sequence[int], outputs: int, padding: int) -> int:
    """Return how many images of ``shape`` (b, c, h, w) are worked on together, so that their tiles stay in a cache."""
    count, inputs, height, width = shape
    together = _TILES_TOGETHER if inputs * outputs < _LARGE_FILTERS else _TILES_TOGETHER_LARGE
    return max(1, min(count, together // _tiles(height, width, padding)))


def count_parts(shape: Sequence[int], outputs: int, padding: int) -> int:
    """Return in how many parts the filters' gradient is added up, which is how many threads can work on it."""
    affordable = _PARTS_BYTES // (PRODUCTS * shape[1] * outputs * _FLOAT_BYTES)
    worth_it = shape[0] * _tiles(shape[2], shape[3], padding) // _TILES_OF_A_PART
    return min(_MOST_PARTS, 2 ** max(1, min(affordable, worth_it).bit_length() - 1))


def count_bytes(shape: Sequence[int], outputs: int, padding: int, threads: int) -> int:
    """Return how much memory a backward pass works in, which is more than a forward pass does."""
    inputs = shape[1]
    side = OUTPUT_TILE * math.isqrt(_tiles(shape[2], shape[3], padding))
    tiles = block_images(shape, outputs, padding) * _tiles(shape[2], shape[3], padding) + 1
    a_thread = PRODUCTS * tiles * (inputs + outputs) + 2 * (side + 2) ** 2 * inputs + side**2 * outputs
    filters = (1 + count_parts(shape, outputs, padding)) * PRODUCTS * inputs * outputs
    return _FLOAT_BYTES * (threads * a_thread + filters)


def _tiles(height: int, width: int, padding: int) -> int:
    return max(math.ceil((max(height, width) + 2 * padding - 2) / OUTPUT_TILE), 0) ** 2
