"""The numba backend: compiled kernels on as many threads as torch would use."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from windtunnel.augment.instruction import Code, Program, Slot, Table
from windtunnel.augment.numba_backend.copy import copy_bytes
from windtunnel.augment.numba_backend.interpret import render
from windtunnel.augment.op import Frame

_CONSTANTS = 6
_FEWEST_IMAGES = 32
_BYTE_MOVES = {Code.FLIP_X, Code.FLIP_Y, Code.SHIFT}


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
        self._pool = ThreadPoolExecutor(thread_name_prefix="windtunnel-augment")

    def render(self, pixels: Tensor, rows: Int64[Tensor, " b"], table: Table) -> Float[Tensor, "b c h w"]:
        """Return the images at ``rows`` of ``pixels`` (n h w c), augmented by ``table`` and normalised."""
        channels, height, width = self._frame[:3]
        shape = (len(rows), height, width, channels) if self._channels_last else (len(rows), channels, height, width)
        out = torch.empty(shape)
        parts = min(torch.get_num_threads(), max(1, len(rows) // _FEWEST_IMAGES))
        bounds = np.linspace(0, len(rows), parts + 1).astype(int)
        jobs = [
            self._pool.submit(self._render_part, pixels, rows[a:b], table.rows(slice(a, b)), out[a:b])
            for a, b in pairwise(bounds[1:])
        ]
        self._render_part(pixels, rows[: bounds[1]], table.rows(slice(0, bounds[1])), out[: bounds[1]])
        wait(jobs)
        for job in jobs:
            job.result()
        images = out.permute(0, 3, 1, 2) if self._channels_last else out
        return images.to(self._dtype)

    def _render_part(self, pixels: Tensor, rows: Tensor, table: Table, out: Tensor) -> None:
        kernel = copy_bytes if self._only_moves_bytes else render
        flat, none = pixels.flatten(1), torch.empty(0, 0)
        kernel(
            (flat if pixels.dtype == torch.uint8 else none.byte()).numpy(),
            (none if pixels.dtype == torch.uint8 else flat).numpy(),
            rows.numpy(),
            table.codes.numpy(),
            table.arguments.numpy(),
            self._starts,
            self._constants,
            self._frame[:3],
            self._scale,
            self._offset,
            self._channels_last,
            out.flatten(1).numpy(),
        )


def _constants(slot: Slot) -> list[float]:
    values: tuple[float, ...] = ()
    if slot.warp is not None:
        values = slot.warp.constants()
    elif Code.SHIFT in slot.codes:
        values = (slot.padding,)
    elif Code.BLUR in slot.codes:
        values = (slot.kernel_size,)
    return [*values, *[0.0] * (_CONSTANTS - len(values))]
