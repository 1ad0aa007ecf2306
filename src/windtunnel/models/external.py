"""timm's networks under this package's interface. Needs the ``timm`` extra."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

from torch import nn

from windtunnel.errors import ModelError
from windtunnel.registry import suggest


def build_timm(
    *,
    architecture: str,
    pretrained: bool,
    options: Mapping[str, Any],
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
) -> nn.Module:
    """Return timm's network ``architecture`` for these classes, channels and, where it is fixed, image size.

    Args:
        architecture: timm's name, with or without its weights' tag.
        pretrained: start from timm's weights.
        options: further arguments for ``timm.create_model``.
        num_classes: outputs.
        in_channels: channels of the images.
        image_size: height and width, pixels; passed as ``img_size`` to networks with a fixed size.

    Raises:
        ModelError: timm is not installed, has no such network or cannot build it so.

    """
    timm = _import_timm()
    if not timm.is_model(architecture.partition(".")[0]):
        near = suggest(architecture, timm.list_models())
        hint = f"; did you mean {near!r}?" if near else "; `timm.list_models()` lists them"
        raise ModelError(f"timm has no network {architecture!r}{hint}")
    given = dict(options)
    facts = timm.get_pretrained_cfg(architecture, allow_unregistered=True)
    if facts is not None and facts.fixed_input_size:
        given.setdefault("img_size", image_size)
    try:
        network = timm.create_model(
            architecture, pretrained=pretrained, num_classes=num_classes, in_chans=in_channels, **given
        )
    except (TypeError, RuntimeError, ValueError, AssertionError) as error:
        raise ModelError(f"timm cannot build {architecture!r} with {given}: {error}") from error
    return cast(nn.Module, network)


def _import_timm() -> Any:
    try:
        return import_module("timm")
    except (ImportError, RuntimeError) as error:  # the latter from a torchvision built for another torch
        raise ModelError(
            f"timm cannot be imported ({error}); pip install 'windtunnel[timm]', with a torchvision that fits torch"
        ) from error
