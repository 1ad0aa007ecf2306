"""Light and colour. Images are in 0..1; the caller clamps what leaves that range."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from windtunnel.core.rng import uniforms

_FIELD = 4  # cells along a side of the haze's field
_SMALLEST = 1e-6


def brighten(
    images: Float[Tensor, "b c h w"], level: float, _key: int, _ids: Int64[Tensor, " b"]
) -> Float[Tensor, "b c h w"]:
    """Add ``level`` to the largest channel of each pixel and scale the others with it, hue and saturation kept."""
    value = images.amax(1, keepdim=True)
    return torch.where(value > _SMALLEST, images / value.clamp_min(_SMALLEST), 1.0) * (value + level).clamp(max=1)


def darken(
    images: Float[Tensor, "b c h w"], level: float, _key: int, _ids: Int64[Tensor, " b"]
) -> Float[Tensor, "b c h w"]:
    """Raise every value to the power ``level``, as an underexposed photo."""
    return images**level


def lower_contrast(
    images: Float[Tensor, "b c h w"], level: float, _key: int, _ids: Int64[Tensor, " b"]
) -> Float[Tensor, "b c h w"]:
    """Keep the share ``level`` of each value's distance from its channel's mean."""
    whole = (images * 255).round().long().sum((2, 3), keepdim=True)  # an exact sum, whatever the batch
    mean = (whole / (255 * images.shape[2] * images.shape[3])).to(images.dtype)
    return (images - mean) * level + mean


def saturate(
    images: Float[Tensor, "b c h w"], level: float, _key: int, _ids: Int64[Tensor, " b"]
) -> Float[Tensor, "b c h w"]:
    """Multiply the saturation (of hue, saturation, value) by ``level``; grey pixels stay grey."""
    value = images.amax(1, keepdim=True)
    gap = value - images
    saturation = gap.amax(1, keepdim=True) / value.clamp_min(_SMALLEST)
    factor = (saturation * level).clamp(max=1) / saturation.clamp_min(_SMALLEST)
    return value - gap * factor


def add_haze(
    images: Float[Tensor, "b c h w"], level: float, key: int, ids: Int64[Tensor, " b"]
) -> Float[Tensor, "b c h w"]:
    """Blend in the share ``level`` of a light, slowly varying veil."""
    cells = uniforms(key, ids, _FIELD**2).T.reshape(len(ids), 1, _FIELD, _FIELD)
    veil = 0.6 + 0.4 * functional.interpolate(cells, images.shape[2:], mode="bilinear", align_corners=True)
    return images * (1 - level) + level * veil.to(images.dtype)
