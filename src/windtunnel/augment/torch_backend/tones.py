"""Changes of tone and of neighbourhoods, image by image. Values are in 0..1."""

import torch
from jaxtyping import Float, Int8
from torch import Tensor
from torch.nn import functional

from windtunnel.augment.instruction import Code, Slot

Images = Float[Tensor, "b c h w"]


def posterize(images: Images, codes: Int8[Tensor, " b"], arguments: Float[Tensor, "b k"], slot: Slot) -> Images:
    """Round down to a number of levels."""
    levels = arguments[:, 0, None, None, None].clamp_min(1)
    return (images * levels).floor_().clamp_min_(0).minimum(levels - 1) * (1 / levels)


def solarize(images: Images, codes: Int8[Tensor, " b"], arguments: Float[Tensor, "b k"], slot: Slot) -> Images:
    """Invert from a threshold on."""
    return torch.where(images >= arguments[:, 0, None, None, None], 1 - images, images)


def autocontrast(images: Images, codes: Int8[Tensor, " b"], arguments: Float[Tensor, "b k"], slot: Slot) -> Images:
    """Stretch each channel to 0..1; a channel of one value stays as it is."""
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    flat = low == high
    spread = torch.where(flat, 1.0, high - low)
    return ((images - torch.where(flat, 0.0, low)) / spread).clamp_(0, 1)


def equalize(images: Images, codes: Int8[Tensor, " b"], arguments: Float[Tensor, "b k"], slot: Slot) -> Images:
    """Flatten the histogram of each channel at 256 levels, by Pillow's rule."""
    batch, channels, height, width = images.shape
    level = (images * 255.999).to(torch.uint8).long().view(batch, channels, -1)
    ones = torch.ones_like(level)
    histogram = torch.zeros(batch, channels, 256, dtype=torch.long, device=images.device)
    histogram.scatter_add_(2, level, ones)
    highest = level.amax(2, keepdim=True)
    step = torch.div(height * width - histogram.gather(2, highest), 255, rounding_mode="floor")
    before = histogram.cumsum(2) - histogram
    table = torch.div(before + step // 2, step.clamp_min(1), rounding_mode="floor").clamp_(0, 255)
    flattened = torch.where(step == 0, level, table.gather(2, level))
    return (flattened.float() / 255).view(images.shape)


def sharpen(images: Images, codes: Int8[Tensor, " b"], arguments: Float[Tensor, "b k"], slot: Slot) -> Images:
    """Blend with the mean of each pixel's surroundings, itself counted five times; edges stay."""
    height, width = images.shape[2:]
    if height <= 2 or width <= 2:
        return images
    columns = images[..., :-2] + images[..., 1:-1] + images[..., 2:]
    box = columns[..., :-2, :] + columns[..., 1:-1, :] + columns[..., 2:, :]
    inner = images[..., 1:-1, 1:-1]
    smooth = (box + 4 * inner) * (1 / 13)
    sharp = inner + (1 - arguments[:, 0, None, None, None]) * (smooth - inner)
    result = images.clone()
    result[..., 1:-1, 1:-1] = sharp
    return result.clamp_(0, 1)


def blur(images: Images, codes: Int8[Tensor, " b"], arguments: Float[Tensor, "b k"], slot: Slot) -> Images:
    """Convolve with a Gaussian, along rows and then along columns, reflecting at the edges."""
    reach = slot.kernel_size // 2
    steps = torch.arange(-reach, reach + 1, device=images.device, dtype=torch.float32)
    sigma = torch.where(codes == Code.BLUR, arguments[:, 0], 1.0)
    kernel = torch.softmax(-((steps / sigma[:, None]) ** 2) / 2, 1)
    padded = functional.pad(images, (reach,) * 4, mode="reflect")
    height, width = images.shape[2:]
    weights = [weight.view(-1, 1, 1, 1) for weight in kernel.unbind(1)]
    rows = torch.zeros_like(padded[..., :width])
    for k, weight in enumerate(weights):
        rows += padded[..., k : k + width] * weight
    result = torch.zeros_like(images)
    for k, weight in enumerate(weights):
        result += rows[..., k : k + height, :] * weight
    return result
