"""Choosing what renders, by name and never silently."""

import importlib.util
from collections.abc import Sequence
from typing import Literal, Protocol

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from windtunnel.augment.instruction import Program, Table
from windtunnel.augment.normalize import Normalizer
from windtunnel.augment.op import Frame
from windtunnel.augment.torch_backend.run import TorchRunner
from windtunnel.errors import UsageError

Backend = Literal["auto", "torch", "numba"]


class Renderer(Protocol):
    """Turns pixels and a table into a normalised batch."""

    backend: str

    def render(self, pixels: Tensor, rows: Int64[Tensor, " b"], table: Table) -> Float[Tensor, "b c h w"]:
        """Return the images at ``rows`` of ``pixels`` (n h w c), augmented by ``table`` and normalised.

        Bytes are 0..255, any other format is 0..1.
        """


class TorchRenderer:
    """Renders in plain torch, on any device.

    A program that begins by moving whole pixels begins as one indexed copy of bytes.
    """

    backend = "torch"

    def __init__(self, runner: TorchRunner, normalizer: Normalizer) -> None:
        self._runner = runner
        self._normalizer = normalizer

    def render(self, pixels: Tensor, rows: Int64[Tensor, " b"], table: Table) -> Float[Tensor, "b c h w"]:
        """Return the images at ``rows`` of ``pixels`` (n h w c), augmented by ``table`` and normalised."""
        if pixels.dtype != torch.uint8:
            images = pixels.index_select(0, rows).float().permute(0, 3, 1, 2).contiguous()
            return self._normalizer.from_unit(self._runner.run(images, table))
        copied, done = self._runner.run_bytes(pixels, rows, table)
        if done == self._runner.passes():
            return self._normalizer.from_bytes(copied)
        images = (copied.float() / 255).permute(0, 3, 1, 2).contiguous()
        return self._normalizer.from_unit(self._runner.run(images, table, done))


def choose_backend(wanted: Backend, *, device: torch.device, program: Program) -> Literal["torch", "numba"]:
    """Return the backend that ``wanted`` stands for.

    ``auto`` is numba for work on a CPU where numba is installed, else torch. Only normalising is torch.

    Raises:
        UsageError: numba was asked for and cannot be used.
    """
    installed = importlib.util.find_spec("numba") is not None
    if wanted == "auto":
        return "numba" if installed and device.type == "cpu" and program.slots else "torch"
    if wanted == "numba" and device.type != "cpu":
        raise UsageError(f"augment_backend numba runs on a CPU and the images are on {device}; use torch")
    if wanted == "numba" and not installed:
        raise UsageError("augment_backend numba needs numba: pip install 'windtunnel[numba]', or use torch")
    if wanted not in ("torch", "numba"):
        raise UsageError(f"augment_backend {wanted!r} is none of auto, torch, numba")
    return wanted


def build_renderer(
    wanted: Backend,
    program: Program,
    frame: Frame,
    *,
    std: Sequence[float],
    dtype: torch.dtype,
    channels_last: bool,
    device: torch.device,
) -> Renderer:
    """Build what renders ``program`` on ``device``.

    Args:
        wanted: ``auto``, ``torch`` or ``numba``.
        program: the ops' slots.
        frame: what the images have in common, their mean among it.
        std: standard deviation of each channel, in 0..1.
        dtype: number format of the batches.
        channels_last: memory layout of the batches.
        device: where the images are.

    Raises:
        UsageError: numba was asked for and cannot be used.
    """
    if choose_backend(wanted, device=device, program=program) == "numba":
        if frame.channels not in (1, 3):
            raise UsageError(
                f"augment_backend numba takes 1 or 3 channels, the images have {frame.channels}; use torch"
            )
        from windtunnel.augment.numba_backend.renderer import NumbaRenderer

        return NumbaRenderer(program, frame, std=std, dtype=dtype, channels_last=channels_last)
    normalizer = Normalizer(frame.mean, std, width=frame.width, dtype=dtype, channels_last=channels_last, device=device)
    return TorchRenderer(TorchRunner(program, frame), normalizer)
