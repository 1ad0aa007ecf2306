"""The convolution, its gradients and the transforms of its filters; each thread calls them for a share of its own.

Images are (n, h, w, c). Filters are (3, 3, inputs, outputs), or (3, 3, outputs, inputs) for the gradient of the inputs;
transformed they are (36, inputs * outputs) in panels.
"""

import numpy as np
from numpy.typing import NDArray

from windtunnel.models.winograd.compiled import compiled, entry_point
from windtunnel.models.winograd.matrices import FILTER, INPUT_TILE, OUTPUT_TILE, PRODUCTS
from windtunnel.models.winograd.panels import add_multiplied_transposed, multiply, width_of
from windtunnel.models.winograd.tiles import cut_inputs, cut_output_gradients, paste_input_gradients, paste_outputs
from windtunnel.models.winograd.vectors import build_transform

Floats = NDArray[np.float32]

_SPACING = 16  # without it the 36 matrices of a block would compete for the same lines of a cache
_to_factors_16, _to_factors_8 = (build_transform(FILTER, lanes=lanes, add=False) for lanes in (16, 8))
_to_weights_16, _to_weights_8 = (build_transform(FILTER.T, lanes=lanes, add=False) for lanes in (16, 8))


@entry_point
def transform_filters(filters: Floats, first: int, last: int, out: Floats) -> None:
    """Write rows ``first`` to ``last`` of the transformed ``filters`` to ``out``."""
    rows, columns = filters.shape[2:]
    inner, stride = rows * columns, out.shape[1]
    for row in range(first, last):
        source = filters.ctypes.data + 4 * row * columns
        start = 0
        while start < columns:
            width = width_of(columns - start)
            target = out.ctypes.data + 4 * (start * rows + row * width)
            for lane in range(0, width, 16):
                near, far = source + 4 * (start + lane), target + 4 * lane
                if width >= 16:
                    _to_factors_16(near, 3 * inner, inner, far, INPUT_TILE * stride, stride)
                else:
                    _to_factors_8(near, 3 * inner, inner, far, INPUT_TILE * stride, stride)
            start += width


@entry_point
def gather_filter_gradient(sums: Floats, first: int, last: int, out: Floats) -> None:
    """Write rows ``first`` to ``last`` of the filters' gradient to ``out`` from partial ``sums`` (parts, 36, ...).

    The sums are added up in order, into the first one.
    """
    rows, columns = out.shape[2:]
    inner, stride = rows * columns, sums.shape[2]
    start = 0
    while start < columns:
        width = width_of(columns - start)
        begin, end = start * rows + first * width, start * rows + last * width
        for part in range(1, sums.shape[0]):
            for product in range(PRODUCTS):
                for i in range(begin, end):
                    sums[0, product, i] += sums[part, product, i]
        for row in range(first, last):
            for lane in range(0, width, 16):
                source = sums.ctypes.data + 4 * (start * rows + row * width + lane)
                target = out.ctypes.data + 4 * (row * columns + start + lane)
                if width >= 16:
                    _to_weights_16(source, INPUT_TILE * stride, stride, target, 3 * inner, inner)
                else:
                    _to_weights_8(source, INPUT_TILE * stride, stride, target, 3 * inner, inner)
        start += width


@compiled
def _copy(source: Floats, target: Floats, shift: int) -> None:
    """Copy ``source`` into ``target``, ``shift`` rows and columns in, or from there on when negative; what fits."""
    into, out_of = max(shift, 0), max(-shift, 0)
    columns = min(source.shape[1] - out_of, target.shape[1] - into)
    for y in range(min(source.shape[0] - out_of, target.shape[0] - into)):
        for x in range(columns):
            for channel in range(source.shape[2]):
                target[y + into, x + into, channel] = source[y + out_of, x + out_of, channel]


@compiled
def _clear(image: Floats) -> None:
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            for channel in range(image.shape[2]):
                image[y, x, channel] = 0


@entry_point
def convolve(
    images: Floats, factors: Floats, padding: int, block_images: int, first: int, last: int, out: Floats
) -> None:
    """Write the convolution of images ``first`` to ``last`` to ``out``.

    Args:
        images: the inputs.
        factors: the transformed filters.
        padding: rows and columns of zeros around the images, 0 or 1.
        block_images: images worked on together.
        first: first image.
        last: image after the last one.
        out: the outputs (n, h', w', c').
    """
    inputs, outputs = images.shape[3], out.shape[3]
    across = (max(out.shape[1], out.shape[2]) + OUTPUT_TILE - 1) // OUTPUT_TILE
    each = across * across
    room = block_images * each + (block_images * each) % 2
    stride_in, stride_out = room * inputs + _SPACING, room * outputs + _SPACING
    block_in, block_out = np.zeros(PRODUCTS * stride_in, np.float32), np.empty(PRODUCTS * stride_out, np.float32)
    framed = np.zeros((OUTPUT_TILE * across + 2, OUTPUT_TILE * across + 2, inputs), np.float32)
    whole = np.empty((OUTPUT_TILE * across, OUTPUT_TILE * across, outputs), np.float32)
    for start in range(first, last, block_images):
        count = min(block_images, last - start)
        for i in range(count):
            _copy(images[start + i], framed, padding)
            cut_inputs(framed, across, block_in.ctypes.data, stride_in, room, i * each)
        tiles = count * each
        for product in range(PRODUCTS):
            multiply(
                block_in.ctypes.data + 4 * product * stride_in, factors[product].ctypes.data,
                block_out.ctypes.data + 4 * product * stride_out, room, tiles + tiles % 2, inputs, outputs,
            )  # fmt: skip
        for i in range(count):
            paste_outputs(whole, across, block_out.ctypes.data, stride_out, room, i * each)
            _copy(whole, out[start + i], 0)


@entry_point
def convolve_backward(
    images: Floats,
    gradients: Floats,
    factors: Floats,
    padding: int,
    block_images: int,
    first: int,
    last: int,
    sums: Floats,
    out: Floats,
) -> None:
    """Add images ``first`` to ``last`` to the filters' gradient and write the gradient of the inputs.

    Args:
        images: the inputs of the convolution.
        gradients: the gradient of its outputs (n, h', w', c').
        factors: the transformed filters, outputs before inputs.
        padding: rows and columns of zeros around the images, 0 or 1.
        block_images: images worked on together.
        first: first image.
        last: image after the last one.
        sums: the transformed filters' gradient (36, inputs * outputs), which is added to.
        out: the gradient of the inputs; one of no images is not wanted.
    """
    inputs, outputs = images.shape[3], gradients.shape[3]
    across = (max(gradients.shape[1], gradients.shape[2]) + OUTPUT_TILE - 1) // OUTPUT_TILE
    each = across * across
    room = block_images * each + (block_images * each) % 2
    stride_in, stride_out = room * inputs + _SPACING, room * outputs + _SPACING
    block_in, block_out = np.zeros(PRODUCTS * stride_in, np.float32), np.zeros(PRODUCTS * stride_out, np.float32)
    framed = np.zeros((OUTPUT_TILE * across + 2, OUTPUT_TILE * across + 2, inputs), np.float32)
    whole = np.zeros((OUTPUT_TILE * across, OUTPUT_TILE * across, outputs), np.float32)
    spread = np.empty_like(framed)
    for start in range(first, last, block_images):
        count = min(block_images, last - start)
        for i in range(count):
            _copy(images[start + i], framed, padding)
            cut_inputs(framed, across, block_in.ctypes.data, stride_in, room, i * each)
            _copy(gradients[start + i], whole, 0)
            cut_output_gradients(whole, across, block_out.ctypes.data, stride_out, room, i * each)
        tiles = count * each
        for product in range(PRODUCTS):
            near, far = block_in.ctypes.data + 4 * product * stride_in, block_out.ctypes.data + 4 * product * stride_out
            add_multiplied_transposed(near, far, sums[product].ctypes.data, room, tiles, inputs, outputs)
            if out.shape[0] > 0:
                multiply(far, factors[product].ctypes.data, near, room, tiles + tiles % 2, outputs, inputs)
        if out.shape[0] > 0:
            for i in range(count):
                _clear(spread)
                paste_input_gradients(spread, across, block_in.ctypes.data, stride_in, room, i * each)
                _copy(spread, out[start + i], -padding)
