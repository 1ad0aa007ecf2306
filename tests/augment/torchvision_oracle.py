"""Each op done by torchvision's functions on one float image, with parameters that windtunnel drew."""

import functools
import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

_KEPT = []  # a torch.library.Library undoes its definitions when it is collected


@functools.cache
def load_transforms() -> ModuleType:
    """Return ``torchvision.transforms.v2``; skip the test where torchvision is not installed.

    A torchvision built for another torch has no usable C extension. The transforms need none of it but the
    schemas of two operators, which are declared here when the extension does not load.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("torchvision is not installed (pip install --no-deps torchvision): no oracle")
    extensions = sorted(Path(spec.submodule_search_locations[0]).glob("_C*.so"))
    try:
        torch.ops.load_library(str(extensions[0]))
    except (OSError, IndexError):
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in (name for name in ("nms", "qnms") if not hasattr(torch.ops.torchvision, name)):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEPT.append(library)
    return importlib.import_module("torchvision.transforms.v2")


@functools.cache
def functions() -> ModuleType:
    """Return ``torchvision.transforms.v2.functional``."""
    load_transforms()
    return importlib.import_module("torchvision.transforms.v2.functional")


def reference(op: object, image: Tensor, params: dict[str, Tensor]) -> Tensor:
    """Return ``image`` (c h w, 0..1) after the op of config ``op`` with ``params`` of one image."""
    if "on" in params and not bool(params["on"]):
        return image
    return _REFERENCES[op.name](functions(), op, image, params)


def _fill(op: object) -> list[float] | None:
    return None if op.fill is None else list(op.fill) if isinstance(op.fill, tuple) else [op.fill]


def _perspective(tv: ModuleType, op: object, image: Tensor, params: dict[str, Tensor]) -> Tensor:
    height, width = image.shape[-2:]
    start = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
    end = params["corners"].view(4, 2).int().tolist()
    return tv.perspective(image, start, end, interpolation=op.interpolation, fill=_fill(op))


def _rotation(tv: ModuleType, op: object, image: Tensor, params: dict[str, Tensor]) -> Tensor:
    return tv.rotate(image, params["degrees"].item(), interpolation=op.interpolation, fill=_fill(op))


def _affine(tv: ModuleType, op: object, image: Tensor, params: dict[str, Tensor]) -> Tensor:
    return tv.affine(
        image,
        angle=params["degrees"].item(),
        translate=[int(params["move_x"]), int(params["move_y"])],
        scale=params["scale"].item(),
        shear=[params["shear_x"].item(), params["shear_y"].item()],
        interpolation=op.interpolation,
        fill=_fill(op),
    )


def _random_crop(tv: ModuleType, op: object, image: Tensor, params: dict[str, Tensor]) -> Tensor:
    modes = {"zero": "constant", "reflect": "reflect", "replicate": "edge"}
    padded = tv.pad(image, [op.padding] * 4, padding_mode=modes[op.mode])
    top, left = op.padding + int(params["top"]), op.padding + int(params["left"])
    return tv.crop(padded, top, left, *image.shape[-2:])


def _box(params: dict[str, Tensor]) -> list[int]:
    return [int(params[name]) for name in ("top", "left", "height", "width")]


def _resized_crop(tv: ModuleType, op: object, image: Tensor, params: dict[str, Tensor]) -> Tensor:
    size = list(image.shape[-2:])
    return tv.resized_crop(image, *_box(params), size, interpolation="bilinear", antialias=True)


def _color_jitter(tv: ModuleType, op: object, image: Tensor, params: dict[str, Tensor]) -> Tensor:
    changes = {8: "brightness", 9: "contrast", 10: "saturation", 11: "hue"}
    for code in params["order"].tolist():
        image = getattr(tv, f"adjust_{changes[code]}")(image, params[changes[code]].item())
    return image


def _erase(tv: ModuleType, op: object, image: Tensor, params: dict[str, Tensor]) -> Tensor:
    return tv.erase(image, *_box(params), params["value"][:, None, None])


def _blur(tv: ModuleType, op: object, image: Tensor, params: dict[str, Tensor]) -> Tensor:
    return tv.gaussian_blur(image, [op.kernel_size] * 2, [params["sigma"].item()] * 2)


def _grayscale(tv: ModuleType, op: object, image: Tensor, params: dict[str, Tensor]) -> Tensor:
    return tv.rgb_to_grayscale(image, num_output_channels=image.shape[0])


_REFERENCES: dict[str, Callable[[ModuleType, object, Tensor, dict[str, Tensor]], Tensor]] = {
    "perspective": _perspective,
    "rotation": _rotation,
    "affine": _affine,
    "random_crop": _random_crop,
    "resized_crop": _resized_crop,
    "color_jitter": _color_jitter,
    "erasing": _erase,
    "cutout": _erase,
    "gaussian_blur": _blur,
    "grayscale": _grayscale,
    "horizontal_flip": lambda tv, op, image, params: tv.horizontal_flip(image),
    "alternating_flip": lambda tv, op, image, params: tv.horizontal_flip(image),
    "vertical_flip": lambda tv, op, image, params: tv.vertical_flip(image),
    "invert": lambda tv, op, image, params: tv.invert(image),
    "posterize": lambda tv, op, image, params: tv.posterize(image, op.bits),
    "solarize": lambda tv, op, image, params: tv.solarize(image, op.threshold),
    "autocontrast": lambda tv, op, image, params: tv.autocontrast(image),
    "equalize": lambda tv, op, image, params: tv.equalize(image),
    "sharpness": lambda tv, op, image, params: tv.adjust_sharpness(image, op.factor),
}
