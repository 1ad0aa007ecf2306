"""Augmentation of small images: per image, batched, reproducible under any batch size and order.

``Augment`` works on anyone's batches; ``engine.build_transform`` on a training loop's resident set.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from windtunnel.augment.engine import build_transform
    from windtunnel.augment.sampling import Draw
    from windtunnel.augment.standalone import Augment, parse_policy

_WHERE = {
    "Augment": "windtunnel.augment.standalone",
    "Draw": "windtunnel.augment.sampling",
    "build_transform": "windtunnel.augment.engine",
    "parse_policy": "windtunnel.augment.standalone",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that configs stay free of torch."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


__all__ = ["Augment", "Draw", "build_transform", "parse_policy"]
