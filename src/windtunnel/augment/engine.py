"""Turns a list of ops and a resident set of images into a training loop's transform."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from windtunnel.augment.erase import Cutout, box_mask
from windtunnel.augment.normalize import Normalizer
from windtunnel.augment.op import Frame, Op, Params, Rearrangement, Stream, identity_coordinates, pixel_index
from windtunnel.config.augment import OpConfig


@dataclass(frozen=True)
class Draw:
    """Parameters of n images, one entry per op; a slice of it belongs to a slice of the images."""

    params: tuple[Params, ...]

    def __getitem__(self, rows: slice) -> "Draw":
        """Return the parameters of the images at ``rows``."""
        return Draw(tuple({name: values[rows] for name, values in op.items()} for op in self.params))


class Sampler:
    """Draws the parameters of a list of ops, each from a stream of its own."""

    def __init__(self, ops: Sequence[Op], *, seed: int, frame: Frame) -> None:
        self._ops = tuple(ops)
        self._seed = seed
        self._frame = frame

    def draw(self, ids: Int64[Tensor, " n"], epoch: int) -> Draw:
        """Draw every parameter of ``ids`` in ``epoch``."""
        seen: Counter[str] = Counter()
        params = []
        for op in self._ops:
            stream = Stream(self._seed, op.name, seen[op.name], epoch)
            params.append(op.sample(stream, ids, self._frame))
            seen[op.name] += 1
        return Draw(tuple(params))


class TorchTransform:
    """Augments and normalises rows of a resident set with plain torch, on any device.

    Leading ops that only move whole pixels become one indexed copy of bytes; nothing is padded or converted
    before it.
    """

    backend = "torch"

    def __init__(
        self, ops: Sequence[Op], images: UInt8[Tensor, "n c h w"], *, normalizer: Normalizer, sampler: Sampler
    ) -> None:
        self._ops = tuple(ops)
        self._sampler = sampler
        self._normalizer = normalizer
        self._pixels = images.permute(0, 2, 3, 1).contiguous()
        self._moves = _count_leading_moves(ops)
        self._cutout_last = len(ops) == self._moves + 1 and isinstance(ops[-1], Cutout)

    def draw(self, ids: Int64[Tensor, " n"], epoch: int) -> Draw:
        """Draw every parameter of ``ids`` in ``epoch``: a pure function of (seed, epoch, id, op)."""
        return self._sampler.draw(ids, epoch)

    def apply(self, rows: Int64[Tensor, " b"], draw: Draw) -> Float[Tensor, "b c h w"]:
        """Return the images at ``rows``, augmented by ``draw`` and normalised."""
        pixels = self._copy(rows, draw)
        rest, params = self._ops[self._moves :], draw.params[self._moves :]
        if not rest:
            return self._normalizer.from_bytes(pixels)
        if self._cutout_last:
            inside = box_mask(params[0], *pixels.shape[1:3])
            return self._normalizer.from_bytes(pixels).masked_fill_(inside[:, None], 0.0)
        images = pixels.permute(0, 3, 1, 2).float() / 255
        for op, op_params in zip(rest, params, strict=True):
            images = op.apply(images, op_params)
        return self._normalizer.from_unit(images)

    def mix(
        self, images: Float[Tensor, "b c h w"], labels: Tensor, draw: Draw
    ) -> tuple[Float[Tensor, "b c h w"], Tensor]:
        """Return the batch as it is: none of the ops mixes images."""
        return images, labels

    def _copy(self, rows: Int64[Tensor, " b"], draw: Draw) -> UInt8[Tensor, "b h w c"]:
        if self._moves == 0:
            return self._pixels.index_select(0, rows)
        _, height, width, channels = self._pixels.shape
        frame = Frame(channels, height, width, (0.0,) * channels)
        at = identity_coordinates(len(rows), frame, rows.device)
        for op, params in reversed(list(zip(self._ops[: self._moves], draw.params, strict=False))):
            assert isinstance(op, Rearrangement)
            at = op.trace(at, params, frame)
        index = pixel_index(at, width) + rows[:, None, None] * (height * width)
        copied = self._pixels.view(-1, channels).index_select(0, index.flatten())
        copied = copied.view(len(rows), height, width, channels)
        if at.weight.shape[1:] != (1, 1):
            copied *= at.weight.to(torch.uint8)[..., None]
        return copied


def build_transform(
    ops: Sequence[OpConfig],
    images: UInt8[Tensor, "n c h w"],
    *,
    mean: Sequence[float],
    std: Sequence[float],
    num_classes: int,
    seed: int,
    dtype: torch.dtype = torch.float32,
    channels_last: bool = True,
    backend: str = "auto",
) -> Any:
    """Build the transform of a resident set of images.

    Args:
        ops: configs of the ops, in order; none only normalises.
        images: the resident set; its memory is channels last and is only read.
        mean: mean of each channel, in 0..1.
        std: standard deviation of each channel, in 0..1.
        num_classes: classes, the width of soft labels.
        seed: the run's seed.
        dtype: number format of the batches.
        channels_last: memory layout of the batches.
        backend: ``auto`` or ``torch``.

    Raises:
        UsageError: an op cannot be applied to images of this size.
    """
    _, channels, height, width = images.shape
    frame = Frame(channels, height, width, tuple(mean))
    built = [config.build() for config in ops]
    for op in built:
        op.check(frame)
    normalizer = Normalizer(
        mean, std, width=width, dtype=dtype, channels_last=channels_last, device=images.device
    )
    return TorchTransform(built, images, normalizer=normalizer, sampler=Sampler(built, seed=seed, frame=frame))


def _count_leading_moves(ops: Sequence[Op]) -> int:
    count = 0
    while count < len(ops) and isinstance(ops[count], Rearrangement):
        count += 1
    return count
