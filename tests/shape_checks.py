"""Checks the jaxtyping annotations of the package while the tests run, and no other annotation.

``Float[Tensor, "b c h w"]`` is checked on every call: number format, axes and that axes of one name agree. The plain
annotations are mypy's work; protocols among them could not be checked at run time anyway.
"""

from typing import get_args

from beartype import beartype
from jaxtyping import AbstractArray


def check_shapes(function):
    """Return ``function`` checking the arguments and results that are annotated as arrays."""
    hints = getattr(function, "__annotations__", {})
    function.__annotations__ = {name: hint for name, hint in hints.items() if _holds_array(hint)}
    return beartype(function)


def _holds_array(hint):
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return True
    return any(_holds_array(argument) for argument in get_args(hint))
