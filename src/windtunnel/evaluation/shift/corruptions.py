"""Corrupted copies of images: 17 corruptions in five severities, computed when asked for.

The idea, and where noted the severities, are those of CIFAR-10-C (Hendrycks and Dietterich 2019, "Benchmarking
Neural Network Robustness to Common Corruptions and Perturbations"). Ours need nothing but torch and Pillow and their
draws are a function of (seed, corruption, severity, image id), so the pixels differ from the published files.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from windtunnel.core.rng import derive_seed
from windtunnel.evaluation.shift import blur, digital, geometry, noise, tone

SEVERITIES = (1, 2, 3, 4, 5)
_BATCH = 256

# (images in 0..1, level, key of the draws, data set index of each image) -> images, not clamped
Apply = Callable[[Tensor, float, int, Tensor], Tensor]
Half = Literal["choosing", "judging"]


@dataclass(frozen=True)
class Corruption:
    """One way images go bad.

    Args:
        name: short name.
        apply: the function.
        levels: what it is given for severities 1 to 5.
        half: whether estimators are chosen by it or judged on it; each kind of corruption is on both sides.
        colour_only: grey images have nothing it could change.
    """

    name: str
    apply: Apply
    levels: tuple[float, float, float, float, float]
    half: Half
    colour_only: bool = False


# Levels are CIFAR-10-C's but for the ones marked as our own.
CORRUPTIONS = (
    Corruption("gaussian_noise", noise.add_gaussian_noise, (0.04, 0.06, 0.08, 0.09, 0.10), "choosing"),
    Corruption("shot_noise", noise.add_shot_noise, (500, 250, 100, 75, 50), "judging"),
    Corruption("impulse_noise", noise.add_impulse_noise, (0.01, 0.02, 0.03, 0.05, 0.07), "choosing"),
    Corruption("speckle_noise", noise.add_speckle_noise, (0.06, 0.10, 0.12, 0.16, 0.20), "judging"),
    Corruption("gaussian_blur", blur.blur_gaussian, (0.4, 0.6, 0.7, 0.8, 1.0), "judging"),
    Corruption("motion_blur", blur.blur_motion, (2, 3, 4, 5, 6), "choosing"),  # our own: a straight line
    Corruption("zoom_blur", blur.blur_zoom, (1.06, 1.11, 1.16, 1.21, 1.26), "judging"),
    Corruption("brightness", tone.brighten, (0.05, 0.10, 0.15, 0.20, 0.30), "choosing"),
    Corruption("darkness", tone.darken, (1.2, 1.5, 1.9, 2.4, 3.0), "judging"),  # our own
    Corruption("contrast", tone.lower_contrast, (0.75, 0.50, 0.40, 0.30, 0.15), "choosing"),
    Corruption("saturate", tone.saturate, (0.3, 0.1, 1.5, 2.0, 2.5), "judging", colour_only=True),  # without offset
    Corruption("haze", tone.add_haze, (0.15, 0.30, 0.40, 0.50, 0.60), "choosing"),  # our own, for fog
    Corruption("jpeg", digital.compress_jpeg, (80, 65, 58, 50, 40), "choosing"),
    Corruption("pixelate", digital.pixelate, (0.95, 0.90, 0.85, 0.75, 0.65), "judging"),
    Corruption("shift", geometry.shift, (1 / 32, 2 / 32, 3 / 32, 4 / 32, 6 / 32), "choosing"),  # our own
    Corruption("scale", geometry.scale, (1.10, 1.15, 1.20, 1.30, 1.40), "judging"),  # our own
    Corruption("rotation", geometry.rotate, (5, 10, 15, 20, 30), "choosing"),  # our own
)


def corruptions_for(channels: int) -> tuple[Corruption, ...]:
    """Return the corruptions that change images of so many channels."""
    return tuple(each for each in CORRUPTIONS if channels == 3 or not each.colour_only)


def corrupt(
    images: UInt8[Tensor, "n c h w"], corruption: Corruption, severity: int, *, ids: Int64[Tensor, " n"], seed: int
) -> UInt8[Tensor, "n c h w"]:
    """Return corrupted copies; the same for the same (seed, id), whatever else is corrupted along with an image.

    Args:
        images: the images.
        corruption: what is done to them.
        severity: 1 (mild) to 5.
        ids: data set index of each image.
        seed: seed of the draws.
    """
    level, key = corruption.levels[severity - 1], derive_seed(seed, "shift", corruption.name, severity)
    done = [
        _to_bytes(corruption.apply(part.contiguous().float() / 255, level, key, part_ids))
        for part, part_ids in zip(images.split(_BATCH), ids.split(_BATCH), strict=True)
    ]
    return torch.cat(done)


def _to_bytes(images: Tensor) -> UInt8[Tensor, "n c h w"]:
    return (images.clamp(0, 1) * 255).round().to(torch.uint8)
