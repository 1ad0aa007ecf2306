"""Objects in other places, sizes and angles; what comes in from outside is the mirrored image."""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from windtunnel.core.rng import uniforms


def shift(
    images: Float[Tensor, "b c h w"], level: float, key: int, ids: Int64[Tensor, " b"]
) -> Float[Tensor, "b c h w"]:
    """Move by ``level`` of the width and height, rounded up to whole pixels, each axis in a random direction."""
    signs = torch.where(uniforms(key, ids, 2) < 0.5, -1.0, 1.0)
    pixels = [math.ceil(level * side) for side in (images.shape[3], images.shape[2])]
    offset = torch.stack([signs[0] * 2 * pixels[0] / images.shape[3], signs[1] * 2 * pixels[1] / images.shape[2]], 1)
    return warp(images, torch.eye(2, device=images.device).expand(len(images), 2, 2), offset)


def scale(
    images: Float[Tensor, "b c h w"], level: float, key: int, ids: Int64[Tensor, " b"]
) -> Float[Tensor, "b c h w"]:
    """Enlarge by ``level``, or shrink by it, at random."""
    factor = torch.where(uniforms(key, ids, 1)[0] < 0.5, level, 1 / level)
    matrix = torch.eye(2, device=images.device)[None] / factor[:, None, None]
    return warp(images, matrix, torch.zeros(len(images), 2, device=images.device))


def rotate(
    images: Float[Tensor, "b c h w"], level: float, key: int, ids: Int64[Tensor, " b"]
) -> Float[Tensor, "b c h w"]:
    """Turn by ``level`` degrees about the centre, left or right at random."""
    angle = torch.where(uniforms(key, ids, 1)[0] < 0.5, -1.0, 1.0) * math.radians(level)
    ratio = images.shape[3] / images.shape[2]  # a turn in pixels, not in the -1..1 of each axis
    rows = [torch.stack([angle.cos(), -angle.sin() / ratio], 1), torch.stack([angle.sin() * ratio, angle.cos()], 1)]
    return warp(images, torch.stack(rows, 1), torch.zeros(len(images), 2, device=images.device))


def warp(
    images: Float[Tensor, "b c h w"], matrix: Float[Tensor, "b 2 2"], offset: Float[Tensor, "b 2"]
) -> Float[Tensor, "b c h w"]:
    """Sample each image where ``matrix`` and ``offset`` send its pixels, bilinear and mirrored at the edge.

    Args:
        images: the images.
        matrix: applied to (x, y), each of them -1..1 across the image.
        offset: added after it.
    """
    x, y = (
        ((2 * torch.arange(side, device=images.device) + 1) / side - 1).to(images.dtype) for side in images.shape[:1:-1]
    )
    grid_x, grid_y = x[None, None, :], y[None, :, None]
    matrix, offset = matrix.to(images.dtype)[..., None, None], offset.to(images.dtype)[..., None, None]
    places = [matrix[:, row, 0] * grid_x + matrix[:, row, 1] * grid_y + offset[:, row] for row in (0, 1)]
    grid = torch.stack(places, -1)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
