"""Shapes without computing: what a module makes of an input, found on torch's meta device."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call

from windtunnel.errors import ModelError

Shape = tuple[int, ...]

REFUSALS = (RuntimeError, ValueError, IndexError, TypeError, AssertionError)
"""What networks, people's own ones too, raise on images that they do not take."""


def describe_shape(shape: Shape) -> str:
    """Return a shape without its batch axis for people.

    >>> describe_shape((64, 8, 8)), describe_shape((128,))
    ('64x8x8', '128 features')
    """
    return "x".join(map(str, shape)) if len(shape) > 1 else f"{shape[0]} features"


def on_meta(module: nn.Module) -> Mapping[str, Tensor]:
    """Return stand-ins without data for every parameter and buffer, by name."""
    named = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return {
        name: torch.empty_like(tensor, device="meta").requires_grad_(tensor.requires_grad)
        for name, tensor in named.items()
    }


def infer_shape(module: nn.Module, in_shape: Shape) -> Shape:
    """Return the shape ``module`` makes of one input of ``in_shape``, both without the batch axis.

    Raises:
        ModelError: the input does not fit; says what torch said.

    """
    try:
        with in_mode(module, training=False), torch.no_grad():
            output = run_on_meta(module, (2, *in_shape))
    except REFUSALS as error:
        raise ModelError(f"does not fit its input of {describe_shape(in_shape)}: {first_line(error)}") from error
    return tuple(output.shape[1:])


def run_on_meta(module: nn.Module, shape: Sequence[int]) -> Tensor:
    """Return what ``module`` makes of images of ``shape`` (batch, channels, height, width), without data."""
    dtype = next((each.dtype for each in module.parameters() if each.is_floating_point()), torch.float32)
    output: Tensor = functional_call(module, dict(on_meta(module)), torch.empty(*shape, device="meta", dtype=dtype))
    return output


def first_line(error: Exception) -> str:
    r"""Return the first line of what ``error`` says, its kind where it says nothing.

    >>> first_line(ValueError("too small\nby far")), first_line(AssertionError())
    ('too small', 'AssertionError')
    """
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


@contextmanager
def in_mode(module: nn.Module, *, training: bool) -> Iterator[None]:
    """Put ``module`` in training or evaluation mode for the block, and every part back as it was after it."""
    was_training = {part: part.training for part in module.modules()}
    module.train(training)
    try:
        yield
    finally:
        for part, mode in was_training.items():
            part.training = mode
