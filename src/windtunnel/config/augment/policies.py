"""Named augmentation policies: lists of ops as the five source reports describe them."""

from collections.abc import Mapping
from typing import Any

_Op = Mapping[str, Any]


def _jitter(brightness: float, contrast: float, saturation: float, hue: float = 0.0) -> _Op:
    return {
        "name": "color_jitter",
        "brightness": brightness,
        "contrast": contrast,
        "saturation": saturation,
        "hue": hue,
    }


_GRAY: _Op = {"name": "grayscale", "p": 0.1}
_FLIP: _Op = {"name": "horizontal_flip", "p": 0.5}
_UPSIDE_DOWN: _Op = {"name": "vertical_flip", "p": 0.2}
_INVERT: _Op = {"name": "invert", "p": 0.2}
_CROP: _Op = {"name": "random_crop", "padding": 4}
_ROTATE: _Op = {"name": "rotation", "degrees": (-15.0, 15.0)}

# S2's report gives no strengths for its colour jitter; S3's are used.
_S2_BASIC: tuple[_Op, ...] = (_FLIP, _CROP, _ROTATE, _jitter(0.2, 0.2, 0.2))

POLICIES: Mapping[str, tuple[_Op, ...]] = {
    "none": (),
    "crop_flip": (_CROP, _FLIP),
    "airbench": ({"name": "alternating_flip"}, {"name": "random_crop", "padding": 2, "mode": "reflect"}),
    # S0
    "easy": (
        {"name": "perspective", "distortion": 0.2, "p": 0.5},
        _GRAY,
        {"name": "rotation", "degrees": (0.0, 15.0)},
        _FLIP,
        _jitter(0.3, 0.5, 0.3),
    ),
    "hard2": (
        {"name": "perspective", "distortion": 0.4, "p": 0.5},
        _GRAY,
        _FLIP,
        _UPSIDE_DOWN,
        _INVERT,
        _jitter(0.2, 0.5, 0.4),
    ),
    "hard3": (
        {"name": "perspective", "distortion": 0.3, "p": 0.5},
        _GRAY,
        _FLIP,
        _UPSIDE_DOWN,
        _INVERT,
        {"name": "resized_crop", "scale": (0.3, 1.0)},
        _jitter(0.5, 0.5, 0.4),
    ),
    # S2, without and with its mixing
    "s2_basic": _S2_BASIC,
    "s2_mix": (*_S2_BASIC, {"name": "mix_choice", "choices": ({"name": "cutmix"}, {"name": "mixup"})}),
    "s3_improved": (
        _CROP,
        _FLIP,
        _ROTATE,
        _jitter(0.2, 0.2, 0.2, 0.1),
        {"name": "erasing", "p": 0.5, "scale": (0.02, 0.33), "ratio": (0.3, 3.3)},
    ),
    "s4_slim": (
        {"name": "random_crop", "padding": 2},
        _FLIP,
        {"name": "vertical_flip", "p": 0.05},
        {"name": "gaussian_blur", "kernel_size": 3, "sigma": (0.1, 1.5), "p": 0.3},
        {"name": "cutmix"},
    ),
}
