"""Small images for augmentation tests: half noise, half smooth, as photographs are."""

import torch
from torch import Tensor
from torch.nn import functional


def make_images(count: int = 24, size: tuple[int, int] = (32, 32), channels: int = 3, seed: int = 0) -> Tensor:
    """Return bytes (n c h w), channels last in memory."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(count - count // 2, channels, *size, generator=generator)
    coarse = torch.rand(count // 2, channels, 5, 5, generator=generator)
    smooth = functional.interpolate(coarse, size=size, mode="bilinear")
    pixels = (torch.cat([noise, smooth]) * 256).clamp_max(255).to(torch.uint8)
    return pixels.contiguous(memory_format=torch.channels_last)
