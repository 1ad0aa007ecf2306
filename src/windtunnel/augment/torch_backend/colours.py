"""Changes of colour, image by image. Values are in 0..1."""

import torch
from jaxtyping import Float, Int8
from torch import Tensor

from windtunnel.augment.instruction import Code, Slot

Images = Float[Tensor, "b c h w"]
_LUMA = (0.2989, 0.587, 0.114)


def luma(images: Images) -> Float[Tensor, "b h w"]:
    """Return the grey value of each pixel, with torchvision's weights (their sum is 0.9999)."""
    if images.shape[1] == 1:
        return images[:, 0]
    red, green, blue = images.unbind(1)
    return red * _LUMA[0] + green * _LUMA[1] + blue * _LUMA[2]


def image_mean(values: Float[Tensor, "b h w"]) -> Float[Tensor, "b 1 1"]:
    """Return each image's mean by halving: the same bits however many images there are."""
    count = values[0].numel()
    folded = values.flatten(1)
    while folded.shape[1] > 1:
        half = folded.shape[1] // 2
        summed = folded[:, :half] + folded[:, half : 2 * half]
        if folded.shape[1] % 2:
            summed[:, 0] += folded[:, -1]
        folded = summed
    return (folded / count)[:, :, None]


def gray(images: Images, codes: Int8[Tensor, " b"], arguments: Float[Tensor, "b k"], slot: Slot) -> Images:
    """Give every channel the grey value."""
    return luma(images)[:, None].expand_as(images)


def invert(images: Images, codes: Int8[Tensor, " b"], arguments: Float[Tensor, "b k"], slot: Slot) -> Images:
    """Turn white into black."""
    return 1 - images


def blend(images: Images, codes: Int8[Tensor, " b"], arguments: Float[Tensor, "b k"], slot: Slot) -> Images:
    """Blend with black (brightness), the mean grey (contrast) or the grey image (saturation), and clamp.

    An image with another code is blended with nothing, which leaves it as it is.
    """
    keep = (codes != Code.BRIGHTNESS) & (codes != Code.CONTRAST) & (codes != Code.SATURATION)
    factor = torch.where(keep, 1.0, arguments[:, 0])[:, None, None]
    scaled = images * factor[:, None]
    if slot.codes == (Code.BRIGHTNESS,):
        return scaled.clamp_(0, 1)
    grey, rest, code = luma(images), 1 - factor, codes[:, None, None]
    target = grey * (rest * (code == Code.SATURATION))
    if Code.CONTRAST in slot.codes:
        target += image_mean(grey) * (rest * (code == Code.CONTRAST))
    return scaled.add_(target[:, None]).clamp_(0, 1)


def hue(images: Images, codes: Int8[Tensor, " b"], arguments: Float[Tensor, "b k"], slot: Slot) -> Images:
    """Turn the hue by a part of the colour circle."""
    if images.shape[1] == 1:
        return images
    red, green = images[:, 0], images[:, 1]
    value, low = images.amax(1), images.amin(1)
    spread = value - low
    grey = spread == 0
    saturation = spread / torch.where(grey, 1.0, value)
    away = (value[:, None] - images) / torch.where(grey, 1.0, spread)[:, None]
    from_red, from_green, from_blue = away.unbind(1)
    angle = torch.where(
        value == red,
        from_blue - from_green,
        torch.where(value == green, 2 + from_red - from_blue, 4 + from_green - from_red),
    )
    angle = torch.remainder(torch.remainder(angle / 6 + 1, 1) + arguments[:, 0, None, None], 1)
    channels = []
    for place in (5.0, 3.0, 1.0):
        along = torch.remainder(place + 6 * angle, 6)
        channels.append(value - value * saturation * torch.minimum(along, 4 - along).clamp(0, 1))
    return torch.stack(channels, 1)
