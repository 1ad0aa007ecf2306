"""The numba backend: compiled kernels on as many threads as torch would use."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from windtunnel.augment.instruction import Code, Program, Slot, Table
from windtunnel.augment.numba_backend.copy import copy_bytes
from windtunnel.augment.numba_backend.interpret import render
from windtunnel.augment.op import Frame

Array = npt.NDArray[Any]

_CONSTANTS = 6
_FEWEST_IMAGES = 32
_BYTE_MOVES = {Code.FLIP_X, Code.FLIP_Y, Code.SHIFT}
_NO_BYTES = np.empty((0, 0), np.uint8)
_NO_FLOATS = np.empty((0, 0), np.float32)


class NumbaRenderer:
    """Renders on a CPU; a program that only shifts and mirrors has a kernel of its own.

    Args:
        program: the slots to run.
        frame: what the images have in common.
        std: standard deviation of each channel, in 0..1; their mean is the frame's.
        dtype: number format of the batches.
        channels_last: memory layout of the batches.
    """

    backend = "numba"

    def __init__(
        self,
        program: Program,
        frame: Frame,
        *,
        std: Sequence[float],
        dtype: torch.dtype,
        channels_last: bool,
    ) -> None:
        self._frame = frame
        spread = np.asarray(std, np.float64)
        self._scale = (1 / spread).astype(np.float32)
        self._offset = (-np.asarray(frame.mean, np.float64) / spread).astype(np.float32)
        self._starts = np.asarray((*program.offsets(), sum(slot.width for slot in program.slots)), np.int64)
        self._constants = np.asarray([_constants(slot) for slot in program.slots], np.float32)
        self._constants = self._constants.reshape(len(program.slots), _CONSTANTS)
        self._only_moves_bytes = all(set(slot.codes) <= _BYTE_MOVES for slot in program.slots)
        self._dtype = dtype
        self._channels_last = channels_last
        self._pool: ThreadPoolExecutor | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the threads out: a copy, in a data loader's worker say, starts its own."""
        return {**vars(self), "_pool": None}

    def render(self, pixels: Tensor, rows: Int64[Tensor, " b"], table: Table) -> Float[Tensor, "b c h w"]:
        """Return the images at ``rows`` of ``pixels`` (n h w c), augmented by ``table`` and normalised."""
        channels, height, width = self._frame[:3]
        count = len(rows)
        shape = (count, height, width, channels) if self._channels_last else (count, channels, height, width)
        out = torch.empty(shape)
        self._render_parts(pixels, rows.numpy(), table.codes.numpy(), table.arguments.numpy(), out)
        images = out.permute(0, 3, 1, 2) if self._channels_last else out
        return images.to(self._dtype)

    def _render_parts(self, pixels: Tensor, rows: Array, codes: Array, arguments: Array, out: Tensor) -> None:
        """Share the rows out over the threads; what is common to the parts is prepared once."""
        count = len(rows)
        flat, filled = pixels.flatten(1).numpy(), out.flatten(1).numpy()
        in_bytes, in_floats = (flat, _NO_FLOATS) if flat.dtype == np.uint8 else (_NO_BYTES, flat)
        kernel = copy_bytes if self._only_moves_bytes else render

        def render_part(start: int, end: int) -> None:
            kernel(
                in_bytes,
                in_floats,
                rows[start:end],
                codes[start:end],
                arguments[start:end],
                self._starts,
                self._constants,
                self._frame[:3],
                self._scale,
                self._offset,
                self._channels_last,
                filled[start:end],
            )

        parts = min(torch.get_num_threads(), max(1, count // _FEWEST_IMAGES))
        bounds = [count * part // parts for part in range(parts + 1)]
        jobs = [self._start_pool().submit(render_part, start, end) for start, end in pairwise(bounds[1:])]
        render_part(0, bounds[1])
        for job in jobs:
            job.result()

    def _start_pool(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(thread_name_prefix="windtunnel-augment")
        return self._pool


def _constants(slot: Slot) -> list[float]:
    values: tuple[float, ...] = ()
    if slot.warp is not None:
        values = slot.warp.constants()
    elif Code.SHIFT in slot.codes:
        values = (slot.padding,)
    elif Code.BLUR in slot.codes:
        values = (slot.kernel_size,)
    return [*values, *[0.0] * (_CONSTANTS - len(values))]
