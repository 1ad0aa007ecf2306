"""How the kernels are compiled: cached on disk, without the GIL, free to reorder sums but not to ignore NaN."""

import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba
import numpy as np

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

# numba takes a plain 1.0 for a double, and one double makes a whole expression double
ZERO, HALF, ONE, TWO, FOUR, SIX = (np.float32(value) for value in (0, 0.5, 1, 2, 4, 6))


def compiled(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Make ``function`` one that compiled functions call."""
    return _compile(function, cache=False)


def entry_point(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Compile ``function`` for numpy arrays at its first call, and keep the result on disk.

    numba compiles again when the function's own file changes, not when one it calls from another file does.
    """
    return _compile(function, cache=True)


def _compile(function: Callable[_Arguments, _Result], *, cache: bool) -> Callable[_Arguments, _Result]:
    # what wraps the function, such as a checker of its annotations, cannot be compiled
    flags = {"contract", "reassoc", "nsz"}
    decorator = numba.njit(nogil=True, cache=cache, fastmath=flags, error_model="numpy")
    return cast(Callable[_Arguments, _Result], decorator(inspect.unwrap(function)))
