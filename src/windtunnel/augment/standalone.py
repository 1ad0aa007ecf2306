"""The augmentation engine on batches of anyone's own: no resident set, no training loop."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int64
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from windtunnel.augment.backend import Backend, build_renderer
from windtunnel.augment.engine import build_sampler, mix_batch
from windtunnel.augment.op import Frame
from windtunnel.augment.sampling import Draw
from windtunnel.config.augment import AugmentConfig, OpConfig
from windtunnel.errors import UsageError


def parse_policy(policy: Any) -> tuple[OpConfig, ...]:
    """Return the ops of a policy's name, or of a list of ops as names, mappings or configs.

    Raises:
        UsageError: a name is unknown or an option is out of its range.
    """
    try:
        return TypeAdapter(AugmentConfig).validate_python(policy)
    except ValidationError as error:
        faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()]
        raise UsageError("augmentation policy: " + "; ".join(fault.removeprefix(": ") for fault in faults)) from error


class Augment:
    """Augments batches image by image, the same for an image in whatever batch it comes.

    >>> augment = Augment("crop_flip", image_shape=(3, 8, 8), seed=0)
    >>> batch = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    >>> images, labels = augment(batch, ids=torch.tensor([17, 4]), epoch=3)
    >>> tuple(images.shape), images.dtype
    ((2, 3, 8, 8), torch.float32)

    Args:
        policy: name of a policy, or a list of ops.
        image_shape: channels (1 or 3), height and width.
        mean: mean of each channel, in 0..1; None leaves images in 0..1.
        std: standard deviation of each channel, in 0..1; given together with ``mean``.
        num_classes: width of soft labels; needed by mixing ops when labels are class indices.
        seed: seed of every draw.
        dtype: number format of the result.
        channels_last: memory layout of the result.
        backend: ``auto``, ``torch`` or ``numba``.
        device: where the batches are.
        check_values: refuse float images that are not in 0..1. On CUDA this waits for the device.

    Raises:
        UsageError: the policy is not valid, does not fit the images, or the backend cannot run here.
    """

    def __init__(
        self,
        policy: str | Sequence[Any],
        *,
        image_shape: tuple[int, int, int],
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        num_classes: int | None = None,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        channels_last: bool = False,
        backend: Backend = "auto",
        device: torch.device | str = "cpu",
        check_values: bool = True,
    ) -> None:
        if (mean is None) != (std is None):
            raise UsageError("mean and std come together: give both, or neither to leave images in 0..1")
        centre = tuple(mean) if mean is not None else (0.0,) * image_shape[0]
        spread = tuple(std) if std is not None else (1.0,) * image_shape[0]
        if not len(centre) == len(spread) == image_shape[0]:
            raise UsageError(f"mean and std have {len(centre)} and {len(spread)} values for {image_shape[0]} channels")
        self.frame = Frame(*image_shape, centre)
        self._sampler = build_sampler(parse_policy(policy), seed=seed, frame=self.frame)
        self._renderer = build_renderer(
            backend,
            self._sampler.program,
            self.frame,
            std=spread,
            dtype=dtype,
            channels_last=channels_last,
            device=torch.device(device),
        )
        self._num_classes = num_classes
        self._check_values = check_values

    @property
    def backend(self) -> str:
        """Name of what renders."""
        return self._renderer.backend

    def __call__(
        self, images: Tensor, labels: Tensor | None = None, *, ids: Int64[Tensor, " b"], epoch: int
    ) -> tuple[Float[Tensor, "b c h w"], Tensor | None]:
        """Return images and labels, augmented, normalised and mixed.

        Args:
            images: uint8, or float in 0..1 (b c h w).
            labels: class indices (b) or weights (b k); only mixing ops need them.
            ids: index of each image in its data set: what its draws depend on.
            epoch: epoch, from 0: images get new draws in each.

        Raises:
            UsageError: the batch does not fit ``image_shape``, or a mixing op lacks what it needs.
        """
        draw = self.sample(ids, epoch)
        finished = self.apply(images, draw)
        if self._sampler.mixing is None:
            return finished, labels
        if labels is None:
            raise UsageError(f"{self._sampler.mixing.name} mixes labels too: pass the labels of the batch")
        return self.mix(finished, labels, draw)

    def sample(self, ids: Int64[Tensor, " n"], epoch: int) -> Draw:
        """Draw every parameter of ``ids`` in ``epoch``; slices of it belong to slices of the images."""
        return self._sampler.draw(ids, epoch)

    def apply(self, images: Tensor, draw: Draw) -> Float[Tensor, "b c h w"]:
        """Return the images changed as ``draw`` says and normalised: a pure function."""
        self._check(images, draw)
        if len(images) == 0:
            return images.float()
        images = images if images.dtype in (torch.uint8, torch.float32) else images.float()
        rows = torch.arange(len(images), device=images.device)
        return self._renderer.render(images.permute(0, 2, 3, 1).contiguous(), rows, draw.table)

    def mix(
        self, images: Float[Tensor, "b c h w"], labels: Tensor, draw: Draw
    ) -> tuple[Float[Tensor, "b c h w"], Tensor]:
        """Return finished images and their labels blended across the batch."""
        if self._sampler.mixing is None or len(images) == 0:
            return images, labels
        if labels.ndim == 1 and self._num_classes is None:
            raise UsageError(f"{self._sampler.mixing.name}: pass num_classes, or labels as weights (b k)")
        return mix_batch(self._sampler.mixing, images, labels, draw, num_classes=self._num_classes or 0)

    def _check(self, images: Tensor, draw: Draw) -> None:
        expected = self.frame[:3]
        if tuple(images.shape[1:]) != expected:
            raise UsageError(f"images of shape {tuple(images.shape)}; expected (b, {', '.join(map(str, expected))})")
        if len(images) != len(draw):
            raise UsageError(f"{len(images)} images and parameters of {len(draw)}")
        if images.dtype != torch.uint8 and not images.is_floating_point():
            raise UsageError(f"images are {images.dtype}; give uint8 (0..255) or float (0..1)")
        if self._check_values and images.is_floating_point() and images.numel():
            low, high = images.aminmax()
            if not (low >= 0 and high <= 1):
                raise UsageError(
                    f"float images are expected in 0..1, these are in {low.item():.3g}..{high.item():.3g}; "
                    "divide by 255, or normalise after augmenting"
                )
