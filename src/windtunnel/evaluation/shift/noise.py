"""Noise of the sensor. Images are in 0..1; every number is drawn from (key, image id, place in the image)."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from windtunnel.core.rng import uniforms

_HALF_STEP = 2.0**-25  # of the uniform draws, so that none is 0
_LONGEST_TAIL = 8.0


def add_gaussian_noise(
    images: Float[Tensor, "b c h w"], level: float, key: int, ids: Int64[Tensor, " b"]
) -> Float[Tensor, "b c h w"]:
    """Add normal noise of standard deviation ``level``."""
    return images + level * _normals(images, key, ids)


def add_speckle_noise(
    images: Float[Tensor, "b c h w"], level: float, key: int, ids: Int64[Tensor, " b"]
) -> Float[Tensor, "b c h w"]:
    """Add normal noise of standard deviation ``level`` times the pixel."""
    return images + level * images * _normals(images, key, ids)


def add_shot_noise(
    images: Float[Tensor, "b c h w"], level: float, key: int, ids: Int64[Tensor, " b"]
) -> Float[Tensor, "b c h w"]:
    """Count photons: each value becomes a Poisson draw of mean ``level * value``, divided by ``level``.

    Draws invert the distribution function of each of the 256 byte values, all in one sorted table: entry i of value v
    is v + P(draw <= i), so one binary search for v + u finds the draw.
    """
    values = (images * 255).round().double()
    counts = torch.arange(int(level + _LONGEST_TAIL * level**0.5) + 10, dtype=torch.float64, device=images.device)
    rates = torch.arange(256, dtype=torch.float64, device=images.device)[:, None] * (level / 255)
    below = torch.special.gammaincc(counts + 1, rates)  # P(draw <= count)
    table = (below.clamp(0, 1) + torch.arange(256, device=images.device)[:, None]).flatten()
    found = torch.searchsorted(table, (values + _uniforms(images, key, ids)).contiguous(), right=True)
    drawn = found - values.long() * len(counts)
    return (drawn / level).to(images.dtype)


def add_impulse_noise(
    images: Float[Tensor, "b c h w"], level: float, key: int, ids: Int64[Tensor, " b"]
) -> Float[Tensor, "b c h w"]:
    """Set the share ``level`` of all values to 0 or 1, each half of the time."""
    draws = _uniforms(images, key, ids)
    return torch.where(draws < level / 2, 0.0, torch.where(draws < level, 1.0, images))


def _uniforms(images: Float[Tensor, "b c h w"], key: int, ids: Int64[Tensor, " b"]) -> Float[Tensor, "b c h w"]:
    return uniforms(key, ids, images[0].numel()).T.reshape(images.shape)


def _normals(images: Float[Tensor, "b c h w"], key: int, ids: Int64[Tensor, " b"]) -> Float[Tensor, "b c h w"]:
    return torch.special.ndtri(_uniforms(images, key, ids).double() + _HALF_STEP).to(images.dtype)
