"""Sharing work out over the threads that torch's own kernels run on.

A second pool beside torch's would fight it for the cores: OpenMP's threads keep spinning for a while after each kernel.
"""

import ctypes
import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import torch

Work = Callable[[int, int], None]
Bounds = tuple[int, int]
_Body = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def share(count: int, work: Work) -> None:
    """Share ``count`` items out over as many threads as torch uses; ``work`` gets the first and the last but one.

    Args:
        count: items, at least 1.
        work: called once for each share, from several threads at a time; should let go of the interpreter's lock.

    Raises:
        Exception: what ``work`` raised first.
    """
    threads = min(torch.get_num_threads(), count)
    if threads == 1:
        work(0, count)
        return
    bounds = [count * part // threads for part in range(threads + 1)]
    run_team = openmp_team()
    if run_team is None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda pair: work(*pair), pairwise(bounds)))
    else:
        _share_in_team(run_team, threads, pairwise(bounds), work)


@functools.cache
def openmp_team() -> Callable[..., None] | None:
    """Return what runs a function once in each thread of torch's OpenMP pool; nothing where GNU's call is missing.

    The call is the one that GCC makes for ``#pragma omp parallel``; LLVM's runtime has it too, but on macOS.
    """
    library = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    if not library.is_file():
        return None
    # looked up in what torch itself is linked to: another OpenMP in this process would be a second pool
    team = getattr(ctypes.CDLL(str(library)), "GOMP_parallel", None)
    if team is not None:
        team.argtypes, team.restype = (_Body, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint), None
    return team


def _share_in_team(run_team: Callable[..., None], threads: int, shares: Iterator[Bounds], work: Work) -> None:
    errors: list[BaseException] = []

    def take_shares(_data: int | None) -> None:
        # a team may be smaller than asked for, so each thread takes shares until none is left
        for first, last in shares:
            try:
                work(first, last)
            except BaseException as error:  # nothing may leave a function that C calls
                errors.append(error)

    run_team(_Body(take_shares), None, threads, 0)
    if errors:
        raise errors[0]
