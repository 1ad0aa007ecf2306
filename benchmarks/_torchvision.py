"""torchvision's transforms, also beside a torch its compiled operators were not built for."""

import functools
import importlib.util
from pathlib import Path

import torch

_NEEDED = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


@functools.cache
def import_transforms():
    """Return ``torchvision.transforms.v2``, or None where torchvision is not installed.

    torchvision refuses to be imported when two of its compiled operators are missing, as in a CUDA build beside a CPU
    torch. The transforms use neither, so the names are declared then.
    """
    found = importlib.util.find_spec("torchvision")
    if found is None:
        return None
    if not _operators_load(Path(found.submodule_search_locations[0])):
        _declare_operators()
    from torchvision.transforms import v2

    return v2


def _operators_load(package):
    libraries = sorted(package.glob("_C*.so"))
    try:
        torch.ops.load_library(str(libraries[0]))
    except (OSError, IndexError):
        return False
    return True


@functools.cache
def _declare_operators():
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in _NEEDED:
        library.define(operator)
    return library  # cached, since the names live as long as it does
