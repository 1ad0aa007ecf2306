"""Turns a list of ops and a resident set of images into a training loop's transform."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional

from windtunnel.augment.backend import Backend, Renderer, build_renderer
from windtunnel.augment.mix import MixingOp
from windtunnel.augment.op import Frame, Op
from windtunnel.augment.sampling import Draw, Sampler
from windtunnel.config.augment import OpConfig


class ResidentTransform:
    """Augments and normalises rows of a resident set of bytes."""

    def __init__(
        self,
        images: UInt8[Tensor, "n c h w"],
        *,
        sampler: Sampler,
        renderer: Renderer,
        num_classes: int,
    ) -> None:
        self._pixels = images.permute(0, 2, 3, 1).contiguous()
        self._sampler = sampler
        self._renderer = renderer
        self._num_classes = num_classes

    def over(self, images: UInt8[Tensor, "n c h w"]) -> "ResidentTransform":
        """Return this transform of other images of the same shape, on the same device."""
        return ResidentTransform(images, sampler=self._sampler, renderer=self._renderer, num_classes=self._num_classes)

    @property
    def mixes(self) -> bool:
        """Whether the last op blends images and labels across the batch."""
        return self._sampler.mixing is not None

    @property
    def backend(self) -> str:
        """Name of what renders, for the record of a run."""
        return self._renderer.backend

    def draw(self, ids: Int64[Tensor, " n"], epoch: int) -> Draw:
        """Draw every parameter of ``ids`` in ``epoch``: a pure function of (seed, epoch, id, op)."""
        return self._sampler.draw(ids, epoch)

    def apply(self, rows: Int64[Tensor, " b"], draw: Draw) -> Float[Tensor, "b c h w"]:
        """Return the images at ``rows``, augmented by ``draw`` and normalised."""
        return self._renderer.render(self._pixels, rows, draw.table)

    def mix(
        self, images: Float[Tensor, "b c h w"], labels: Tensor, draw: Draw
    ) -> tuple[Float[Tensor, "b c h w"], Tensor]:
        """Return images and labels blended across the batch; as they are without a mixing op."""
        if self._sampler.mixing is None:
            return images, labels
        return mix_batch(self._sampler.mixing, images, labels, draw, num_classes=self._num_classes)


def mix_batch(
    mixing: MixingOp,
    images: Float[Tensor, "b c h w"],
    labels: Tensor,
    draw: Draw,
    *,
    num_classes: int,
) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b k"]]:
    """Return the batch mixed, with one weight a class for labels.

    A batch of one image, such as an epoch's last, has no other image to mix with and stays as it is.
    """
    soft = (labels if labels.ndim == 2 else functional.one_hot(labels, num_classes)).float()
    return mixing.mix(images, soft, draw.params[-1]) if len(images) > 1 else (images, soft)


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
    backend: Backend = "auto",
) -> ResidentTransform:
    """Build the transform of a resident set of images.

    Args:
        ops: configs of the ops, in order; none only normalises.
        images: the resident set; its memory is channels last and is only read. Where images come batch by batch,
            an empty set of their shape and device: each batch is handed to ``over``.
        mean: mean of each channel, in 0..1.
        std: standard deviation of each channel, in 0..1.
        num_classes: classes, the width of soft labels.
        seed: the run's seed.
        dtype: number format of the batches.
        channels_last: memory layout of the batches.
        backend: ``auto``, ``torch`` or ``numba``.

    Raises:
        UsageError: an op cannot be applied to images of this size, or the backend cannot run here.
    """
    _, channels, height, width = images.shape
    frame = Frame(channels, height, width, tuple(mean))
    sampler = build_sampler(ops, seed=seed, frame=frame)
    renderer = build_renderer(
        backend,
        sampler.program,
        frame,
        std=std,
        dtype=dtype,
        channels_last=channels_last,
        device=images.device,
    )
    return ResidentTransform(images, sampler=sampler, renderer=renderer, num_classes=num_classes)


def build_sampler(ops: Sequence[OpConfig], *, seed: int, frame: Frame) -> Sampler:
    """Build the ops and what draws for them.

    Raises:
        UsageError: an op cannot be applied to images of this frame.
    """
    built = [config.build() for config in ops]
    mixing = built.pop() if built and isinstance(built[-1], MixingOp) else None
    for op in built:
        assert isinstance(op, Op)
        op.check(frame)
    return Sampler(built, mixing, seed=seed, frame=frame)
