"""Blur of the lens and of the hand. Sums over shifted copies, so that no image depends on its batch."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from windtunnel.core.rng import uniforms
from windtunnel.evaluation.shift.geometry import warp

_TAPS = 7
_REACH = 4.0  # standard deviations


def blur_gaussian(
    images: Float[Tensor, "b c h w"], level: float, _key: int, _ids: Int64[Tensor, " b"]
) -> Float[Tensor, "b c h w"]:
    """Blur with a Gaussian of ``level`` pixels standard deviation; the edge is repeated outwards."""
    radius = math.ceil(_REACH * level)
    weights = [math.exp(-0.5 * (offset / level) ** 2) for offset in range(-radius, radius + 1)]
    height, width = images.shape[2:]
    padded = functional.pad(images, (radius, radius, radius, radius), mode="replicate")
    rows = _mean([padded[:, :, place : place + height] for place in range(len(weights))], weights)
    return _mean([rows[..., place : place + width] for place in range(len(weights))], weights)


def blur_motion(
    images: Float[Tensor, "b c h w"], level: float, key: int, ids: Int64[Tensor, " b"]
) -> Float[Tensor, "b c h w"]:
    """Take the mean along a line of ``level`` thirty-seconds of the side, in a direction of each image's own."""
    angle = uniforms(key, ids, 1)[0] * math.pi
    still = torch.eye(2, device=images.device).expand(len(images), 2, 2)
    reach = 2 * level / 32  # the side spans -1..1
    steps = [(2 * tap / (_TAPS - 1) - 1) * reach / 2 for tap in range(_TAPS)]
    copies = [warp(images, still, torch.stack([step * angle.cos(), step * angle.sin()], 1)) for step in steps]
    return _mean(copies, [1.0] * _TAPS)


def blur_zoom(
    images: Float[Tensor, "b c h w"], level: float, _key: int, _ids: Int64[Tensor, " b"]
) -> Float[Tensor, "b c h w"]:
    """Take the mean over zooms from 1 to ``level``, as while a lens zooms in."""
    nowhere = torch.zeros(len(images), 2, device=images.device)
    still = torch.eye(2, device=images.device).expand(len(images), 2, 2)
    zooms = [1 + (level - 1) * tap / (_TAPS - 1) for tap in range(_TAPS)]
    return _mean([warp(images, still / zoom, nowhere) for zoom in zooms], [1.0] * _TAPS)


def _mean(copies: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    total = torch.zeros_like(copies[0])
    for copy, weight in zip(copies, weights, strict=True):
        total = total + weight * copy
    return total / sum(weights)
