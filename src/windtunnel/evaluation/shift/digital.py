"""What files and screens do to images."""

import io
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int64
from PIL import Image
from torch import Tensor


def compress_jpeg(
    images: Float[Tensor, "b c h w"], level: float, _key: int, _ids: Int64[Tensor, " b"]
) -> Float[Tensor, "b c h w"]:
    """Store each image as JPEG of quality ``level`` (of 100) and read it back."""

    def compress(image: Image.Image) -> Image.Image:
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=round(level))
        return Image.open(stream)

    return _each(images, compress)


def pixelate(
    images: Float[Tensor, "b c h w"], level: float, _key: int, _ids: Int64[Tensor, " b"]
) -> Float[Tensor, "b c h w"]:
    """Shrink to the share ``level`` of the sides and enlarge again, both by means over boxes."""

    def enlarge_shrunk(image: Image.Image) -> Image.Image:
        small = (max(1, int(image.width * level)), max(1, int(image.height * level)))
        return image.resize(small, Image.Resampling.BOX).resize(image.size, Image.Resampling.BOX)

    return _each(images, enlarge_shrunk)


def _each(images: Tensor, change: Callable[[Image.Image], Image.Image]) -> Tensor:
    """Return what Pillow makes of each image's bytes."""
    pixels = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    changed = [change(Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)) for image in pixels]
    stacked = np.stack([np.asarray(image, dtype=np.uint8).reshape(pixels.shape[1:]) for image in changed])
    return torch.from_numpy(stacked).to(images.device).permute(0, 3, 1, 2).to(images.dtype) / 255
