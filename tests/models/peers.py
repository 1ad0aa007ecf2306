"""Public model collections to hold ours against; each test skips where one is not installed."""

import warnings

import pytest

from augment.torchvision_oracle import load_transforms


def load_torchvision_models():
    """Return ``torchvision.models``."""
    load_transforms()  # declares what a torchvision beside a CPU-only torch lacks
    return _import("torchvision.models")


def load_timm():
    """Return timm, which needs an importable torchvision."""
    load_transforms()
    return _import("timm")


def load_pytorchcv():
    """Return pytorchcv's model provider."""
    load_transforms()  # it imports torchvision
    return _import("pytorchcv.model_provider")


def _import(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=f"{name} is not installed: no oracle", exc_type=ImportError)
