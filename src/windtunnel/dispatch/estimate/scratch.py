"""Memory that convolutions take and give back within themselves on a CPU, which no trace of tensors can see.

oneDNN reorders the filters before a pass and sums their gradient over blocks; for depthwise filters above 3x3 it keeps
a copy of the gradient for each block of work. Measured with torch 2.13 on an AVX-512 CPU at 30 shapes, where batch and
resolution hardly mattered. Another CPU may take another path.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from windtunnel.models.winograd.rule import count_bytes, is_worth_it

_FLOAT_BYTES = 4
_LARGEST_DIRECT_SIDE = 3
_DEPTHWISE_COPIES = {torch.float32: 257, torch.bfloat16: 480}


def convolution_scratch(operator: Any, arguments: Sequence[Any]) -> int:
    """Return the bytes that ``operator`` takes besides its results; 0 for anything but a convolution."""
    if operator is torch.ops.aten.convolution.default:
        return _bytes_of(arguments[1])
    if operator is torch.ops.aten.convolution_backward.default:
        output_gradient, _, weight = arguments[:3]
        return _copies(output_gradient, weight) * int(weight.numel()) * _FLOAT_BYTES
    return 0


def winograd_scratch(threads: int) -> Callable[[Any, Sequence[Any]], int]:
    """Return the same for ``runtime.convolution=winograd`` on so many threads."""

    def scratch(operator: Any, arguments: Sequence[Any]) -> int:
        is_backward = operator is torch.ops.aten.convolution_backward.default
        if is_backward or operator is torch.ops.aten.convolution.default:
            images, weight = arguments[1:3] if is_backward else arguments[:2]
            stride, padding = arguments[4:6] if is_backward else arguments[3:5]
            is_square = tuple(weight.shape[2:]) == (3, 3) and weight.shape[1] == images.shape[1]
            known = is_square and set(stride) == {1} and tuple(padding) in ((0, 0), (1, 1))
            if known and is_worth_it(images.shape, len(weight), padding[0]):
                return count_bytes(images.shape, len(weight), padding[0], threads)
        return convolution_scratch(operator, arguments)

    return scratch


def _copies(output_gradient: Tensor, weight: Tensor) -> int:
    """Return how many float32 copies of the filters a backward pass holds."""
    is_depthwise = weight.ndim == 4 and weight.shape[1] == 1 and weight.shape[0] == output_gradient.shape[1] > 1
    if not is_depthwise or min(weight.shape[2:]) <= _LARGEST_DIRECT_SIDE or math.prod(output_gradient.shape[2:]) == 1:
        return 2
    return _DEPTHWISE_COPIES.get(weight.dtype, 2)


def _bytes_of(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
