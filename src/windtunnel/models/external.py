"""Networks from elsewhere: what one of your own has to do, and timm's under this package's interface.

timm's need the ``timm`` extra.
"""

import os
import sys
import traceback
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from windtunnel.core.places import offline_switch
from windtunnel.errors import ModelError
from windtunnel.models.shapes import Shape, describe_shape, first_line, in_mode
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
        ModelError: timm is not installed, has no such network, cannot build it so or cannot have its weights.

    """
    if pretrained and offline_switch() and not os.environ.get("HF_HUB_OFFLINE"):
        raise ModelError(
            f"WINDTUNNEL_OFFLINE is set and timm would fetch the weights of {architecture!r}; set HF_HUB_OFFLINE=1 "
            "as well where timm has a copy of them"
        )
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
    except (TypeError, RuntimeError, ValueError, AssertionError, OSError) as error:  # the last of its weights
        raise ModelError(f"timm cannot build {architecture!r} with {given}: {error}") from error
    return cast(nn.Module, network)


def build_own(network: type[nn.Module], arguments: Mapping[str, Any]) -> nn.Module:
    """Return a network of one's own class ``network``.

    Raises:
        ModelError: it does not take these arguments.

    """
    try:
        return network(**arguments)
    except Exception as error:  # somebody else's code raises what it will
        said = _describe_error(error, network)
        raise ModelError(f"{network.__name__}({', '.join(arguments)}) cannot be built: {said}") from error


def check_logits(network: nn.Module, *, in_shape: Shape, num_classes: int) -> None:
    """Do nothing when ``network`` gives one logit a class; found out on two black images, in evaluation mode.

    Layers that wait for their first input get their shapes by it.

    Args:
        network: one that is not of this package.
        in_shape: channels, height, width.
        num_classes: of the data.

    Raises:
        ModelError: it cannot take such images, or gives something else.

    """
    place = next(network.parameters(), torch.empty(0)).device
    taken = describe_shape(in_shape)
    try:
        with in_mode(network, training=False), torch.no_grad():
            output = network(torch.zeros(2, *in_shape, device=place))
    except Exception as error:  # somebody else's code raises what it will
        said = _describe_error(error, type(network))
        raise ModelError(f"{type(network).__name__} does not take images of {taken}: {said}") from error
    if isinstance(output, Tensor) and output.shape == (2, num_classes):
        return
    given = f"a tensor {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
    raise ModelError(
        f"{type(network).__name__} returns {given} for 2 images of {taken}; with {num_classes} classes it has to be a "
        f"tensor (2, {num_classes}) of logits. A network whose __init__ takes num_classes is given them"
    )


def _describe_error(error: Exception, network: type[nn.Module]) -> str:
    """Return what ``error`` says, and the last line of the network's own file that it went through."""
    file = getattr(sys.modules.get(network.__module__), "__file__", None)
    lines = [step.lineno for step in traceback.extract_tb(error.__traceback__) if step.filename == file]
    where = f" ({Path(str(file)).name}, line {lines[-1]})" if lines else ""
    return f"{type(error).__name__}: {first_line(error)}{where}"


def _import_timm() -> Any:
    try:
        return import_module("timm")
    except (ImportError, RuntimeError) as error:  # the latter from a torchvision built for another torch
        raise ModelError(
            f"timm cannot be imported ({error}); pip install 'windtunnel[timm]', with a torchvision that fits torch"
        ) from error
