"""How the kernels are compiled, and how wide the machine's registers are."""

import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba
from llvmlite import binding

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

# a product holds 6 rows of this many sums in registers; with AVX-512 they fill 24 of 32, with AVX2 12 of 16
WIDEST = 64 if binding.get_host_cpu_features().get("avx512f") else 16


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
    decorator = numba.njit(nogil=True, cache=cache, error_model="numpy")
    return cast(Callable[_Arguments, _Result], decorator(inspect.unwrap(function)))
