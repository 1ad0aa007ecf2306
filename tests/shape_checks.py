"""Checks the jaxtyping annotations of the package while the tests run, and no other annotation.

``Float[Tensor, "b c h w"]`` is checked on every call: number format, axes and that axes of one name agree. The plain
annotations are mypy's work; protocols among them could not be checked at run time anyway.
"""

import functools
from typing import get_args

import torch
from beartype import beartype
from jaxtyping import AbstractArray


def check_shapes(function):
    """Return ``function`` checking the arguments and results that are annotated as arrays.

    Nothing is checked while ``torch.compile`` traces: it would trace the checks.
    """
    hints = getattr(function, "__annotations__", {})
    function.__annotations__ = {name: hint for name, hint in hints.items() if _holds_array(hint)}
    if not function.__annotations__:
        return function
    checked = beartype(function)

    @functools.wraps(function)
    def check_unless_traced(*arguments, **keywords):
        chosen = function if torch.compiler.is_compiling() else checked
        return chosen(*arguments, **keywords)

    return check_unless_traced


def _holds_array(hint):
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return True
    return any(_holds_array(argument) for argument in get_args(hint))
