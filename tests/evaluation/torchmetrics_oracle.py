"""torchmetrics, also where the torchvision that it imports was built for another torch."""

import importlib.util
from types import ModuleType

import pytest

from augment.torchvision_oracle import load_transforms


def load_torchmetrics() -> ModuleType:
    """Return ``torchmetrics.functional.classification``."""
    if importlib.util.find_spec("torchvision") is not None:
        load_transforms()
    return pytest.importorskip("torchmetrics.functional.classification", reason="torchmetrics is in the dev extra")
