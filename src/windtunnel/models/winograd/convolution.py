"""The convolution as a function that torch differentiates."""

from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from windtunnel.models.winograd.kernels import convolve, convolve_backward, gather_filter_gradient, transform_filters
from windtunnel.models.winograd.matrices import PRODUCTS
from windtunnel.models.winograd.rule import block_images, count_parts
from windtunnel.models.winograd.threads import share


def winograd_conv2d(
    images: Float[Tensor, "b c h w"], weight: Float[Tensor, "d c 3 3"], padding: int
) -> Float[Tensor, "b d g v"]:
    """Return the convolution at stride 1, channels last in memory, on as many threads as torch uses.

    Neither it nor its gradients depend on the number of threads.

    Args:
        images: float32 on the CPU; quickest when channels are last in memory.
        weight: the filters; both numbers of channels are multiples of 8.
        padding: rows and columns of zeros around the images, 0 or 1.
    """
    return cast(Tensor, _WinogradConv2d.apply(images, weight, padding))


class _WinogradConv2d(torch.autograd.Function):
    """Keeps only images and filters for the backward pass: cutting tiles again is quicker than reading them back."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, padding: int) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.padding = padding
        inputs, factors = _channels_last(images), _transform(weight.permute(2, 3, 1, 0))
        count, height, width, _ = inputs.shape
        shape = (count, len(weight), height + 2 * padding - 2, width + 2 * padding - 2)
        # not a view of other memory, which could not be changed in place afterwards
        outputs = torch.empty(shape, memory_format=torch.channels_last)
        together = block_images(images.shape, len(weight), padding)
        x, f, y = (tensor.detach().numpy() for tensor in (inputs, factors, outputs.permute(0, 2, 3, 1)))
        share(count, lambda first, last: convolve(x, f, padding, together, first, last, y))
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None]:
        images, weight = ctx.saved_tensors
        inputs = _channels_last(images)
        of_inputs = torch.empty_like(inputs) if ctx.needs_input_grad[0] else inputs.new_empty(0, 1, 1, 1)
        sums = _add_up(inputs, _channels_last(gradient), weight, ctx.padding, of_inputs)
        of_weight = _gather(sums, weight)
        return of_inputs.permute(0, 3, 1, 2) if ctx.needs_input_grad[0] else None, of_weight, None


def _add_up(
    inputs: Float[Tensor, "b h w c"],
    gradients: Float[Tensor, "b g v d"],
    weight: Float[Tensor, "d c 3 3"],
    padding: int,
    of_inputs: Float[Tensor, "..."],
) -> Float[Tensor, "parts 36 cd"]:
    """Write the gradient of the inputs and return the transformed filters' gradient in parts.

    The images of a part are added up in order by one thread, so that the threads' number changes nothing.
    """
    outputs, channels = weight.shape[:2]
    count, shape = len(inputs), inputs.permute(0, 3, 1, 2).shape
    parts, together = count_parts(shape, outputs, padding), block_images(shape, outputs, padding)
    factors = _transform(weight.permute(2, 3, 0, 1))
    sums = torch.zeros(parts, PRODUCTS, channels * outputs)
    x, g, f, s, d = (tensor.detach().numpy() for tensor in (inputs, gradients, factors, sums, of_inputs))

    def add_parts(first: int, last: int) -> None:
        for part in range(first, last):
            start, end = count * part // parts, count * (part + 1) // parts
            convolve_backward(x, g, f, padding, together, start, end, s[part], d)

    share(parts, add_parts)
    return sums


def _gather(sums: Float[Tensor, "parts 36 cd"], weight: Float[Tensor, "d c 3 3"]) -> Float[Tensor, "d c 3 3"]:
    outputs, channels = weight.shape[:2]
    gradient = torch.empty(3, 3, channels, outputs)
    s, w = sums.numpy(), gradient.numpy()
    share(channels, lambda first, last: gather_filter_gradient(s, first, last, w))
    return torch.empty_like(weight).copy_(gradient.permute(3, 2, 0, 1))


def _transform(filters: Float[Tensor, "3 3 r c"]) -> Float[Tensor, "36 rc"]:
    source = filters.contiguous()
    rows, columns = source.shape[2:]
    factors = torch.empty(PRODUCTS, rows * columns)
    w, f = source.detach().numpy(), factors.numpy()
    share(rows, lambda first, last: transform_filters(w, first, last, f))
    return factors


def _channels_last(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b h w c"]:
    return images.permute(0, 2, 3, 1).contiguous()
