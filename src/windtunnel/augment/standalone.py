"""The augmentation engine on batches of anyone's own: no resident set, no training loop."""

import operator
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
        check_values: refuse float images that are not in 0..1 and class indices beyond ``num_classes``. On CUDA this
            waits for the device.

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
        if len(image_shape) != 3 or min(image_shape) < 1:
            raise UsageError(f"image_shape is {tuple(image_shape)}; give channels, height and width, each at least 1")
        if not dtype.is_floating_point:
            raise UsageError(f"dtype {dtype} holds no normalised images; give one of floating point")
        centre, spread = _check_statistics(mean, std, channels=image_shape[0])
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
        self._dtype = dtype
        self._device = torch.device(device)

    @property
    def backend(self) -> str:
        """Name of what renders."""
        return self._renderer.backend

    def __call__(
        self, images: Tensor, labels: Tensor | None = None, *, ids: Tensor, epoch: int
    ) -> tuple[Float[Tensor, "b c h w"], Tensor | None]:
        """Return images and labels, augmented, normalised and mixed.

        Args:
            images: uint8, or float in 0..1 (b c h w).
            labels: class indices (b) or weights (b k); only mixing ops need them.
            ids: index of each image in its data set (b), on any device: what its draws depend on.
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

    def sample(self, ids: Tensor, epoch: int) -> Draw:
        """Draw every parameter of ``ids`` in ``epoch``; slices of it belong to slices of the images.

        Raises:
            UsageError: ``ids`` is no tensor of one whole number an image, or ``epoch`` no whole number.
        """
        return self._sampler.draw(_check_ids(ids).to(self._device), _check_epoch(epoch))

    def apply(self, images: Tensor, draw: Draw) -> Float[Tensor, "b c h w"]:
        """Return the images changed as ``draw`` says and normalised: a pure function."""
        self._check(images, draw)
        if len(images) == 0:
            return images.to(self._dtype)
        images = images if images.dtype in (torch.uint8, torch.float32) else images.float()
        rows = torch.arange(len(images), device=images.device)
        return self._renderer.render(images.permute(0, 2, 3, 1).contiguous(), rows, draw.table)

    def mix(
        self, images: Float[Tensor, "b c h w"], labels: Tensor, draw: Draw
    ) -> tuple[Float[Tensor, "b c h w"], Tensor]:
        """Return finished images and their labels blended across the batch.

        Raises:
            UsageError: the labels do not fit the images, or ``num_classes`` is missing or too small for them.
        """
        if self._sampler.mixing is None:
            return images, labels
        fitting = self._check_labels(images, labels, name=self._sampler.mixing.name)
        return mix_batch(self._sampler.mixing, images, fitting, draw, num_classes=self._num_classes or 0)

    def _check_labels(self, images: Tensor, labels: Tensor, *, name: str) -> Tensor:
        """Return the labels, class indices as int64."""
        if len(labels) != len(images):
            raise UsageError(f"{name}: {len(labels)} labels for {len(images)} images")
        if labels.ndim == 2:
            return labels
        if labels.ndim != 1 or labels.is_floating_point():
            raise UsageError(
                f"{name}: labels are {labels.dtype} of shape {tuple(labels.shape)}; "
                "give class indices (b) as whole numbers, or weights (b k)"
            )
        if self._num_classes is None:
            raise UsageError(f"{name}: pass num_classes, or labels as weights (b k)")
        if self._check_values and len(labels) and not (labels.min() >= 0 and labels.max() < self._num_classes):
            raise UsageError(
                f"{name}: labels are in {int(labels.min())}..{int(labels.max())}; "
                f"num_classes={self._num_classes} allows 0..{self._num_classes - 1}"
            )
        return labels.long()

    def _check(self, images: Tensor, draw: Draw) -> None:
        expected = self.frame[:3]
        if tuple(images.shape[1:]) != expected:
            raise UsageError(f"images of shape {tuple(images.shape)}; expected (b, {', '.join(map(str, expected))})")
        if len(images) != len(draw):
            raise UsageError(f"{len(images)} images and parameters of {len(draw)}")
        if images.device.type != self._device.type:
            raise UsageError(f"images are on {images.device} and device is {self._device}; give device={images.device}")
        if images.dtype != torch.uint8 and not images.is_floating_point():
            raise UsageError(f"images are {images.dtype}; give uint8 (0..255) or float (0..1)")
        if self._check_values and images.is_floating_point() and images.numel():
            low, high = images.aminmax()
            if not (low >= 0 and high <= 1):
                raise UsageError(
                    f"float images are expected in 0..1, these are in {low.item():.3g}..{high.item():.3g}; "
                    "divide by 255, or normalise after augmenting"
                )


def _check_statistics(
    mean: Sequence[float] | None, std: Sequence[float] | None, *, channels: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each channel; those that leave images as they are for None."""
    if (mean is None) != (std is None):
        raise UsageError("mean and std come together: give both, or neither to leave images in 0..1")
    centre = tuple(mean) if mean is not None else (0.0,) * channels
    spread = tuple(std) if std is not None else (1.0,) * channels
    if not len(centre) == len(spread) == channels:
        raise UsageError(f"mean and std have {len(centre)} and {len(spread)} values for {channels} channels")
    if not all(value > 0 for value in spread):
        raise UsageError(f"std is {spread}; images are divided by it, so each value must be above 0")
    return centre, spread


def _check_ids(ids: Tensor) -> Int64[Tensor, " n"]:
    whole = isinstance(ids, Tensor) and not (ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool)
    if not whole or ids.ndim != 1:
        given = f"{ids.dtype} of shape {tuple(ids.shape)}" if isinstance(ids, Tensor) else type(ids).__name__
        raise UsageError(f"ids is {given}; give a tensor of one whole number an image, its index in the data set")
    return ids.long()  # another width would be hashed to other draws


def _check_epoch(epoch: int) -> int:
    try:
        return operator.index(epoch)  # numpy's numbers become Python's, which the draws' key is made of
    except TypeError as error:
        raise UsageError(f"epoch is {epoch!r}; give a whole number, from 0") from error
