"""Reading images at traced coordinates: whole pixels, or between them."""

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional

from windtunnel.augment.torch_backend.coordinates import Coordinates, pixel_index


def copy_pixels(images: Float[Tensor, "b c h w"], at: Coordinates) -> Float[Tensor, "b c h w"]:
    """Return the images' pixels at whole coordinates."""
    batch, channels, height, width = images.shape
    index = pixel_index(at, width).expand(batch, height, width).reshape(batch, 1, -1)
    copied = images.reshape(batch, channels, -1).gather(2, index.expand(-1, channels, -1))
    return _blend(copied.view(images.shape), at)


def copy_bytes(
    pixels: UInt8[Tensor, "n h w c"], rows: Int64[Tensor, " b"], at: Coordinates
) -> UInt8[Tensor, "b h w c"]:
    """Return the pixels at whole coordinates of the images ``rows``, with black for what does not show."""
    _, height, width, channels = pixels.shape
    index = pixel_index(at, width) + rows[:, None, None] * (height * width)
    index = index.expand(len(rows), height, width).reshape(-1)
    copied = pixels.view(-1, channels).index_select(0, index).view(len(rows), height, width, channels)
    if at.weight is not None:
        copied *= at.weight.to(torch.uint8)[..., None]
    return copied


def sample_between(images: Float[Tensor, "b c h w"], at: Coordinates) -> Float[Tensor, "b c h w"]:
    """Return the images read bilinearly, black outside."""
    batch, _, height, width = images.shape
    x = ((2 * at.x + 1) / width - 1).expand(batch, height, width)
    y = ((2 * at.y + 1) / height - 1).expand(batch, height, width)
    grid = torch.stack([x, y], -1)
    read = functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return _blend(read, at)


def _blend(images: Tensor, at: Coordinates) -> Tensor:
    if at.weight is not None:
        images = images * at.weight[:, None]
    return images if at.offset is None else images + at.offset
