"""Narrower networks, for budgets that the full width does not fit into."""

from typing import Any

from windtunnel.config.experiment import Experiment
from windtunnel.config.models import Cnn, PreactResnet, Sequential


def narrow_network(experiment: Experiment, factor: float) -> Experiment:
    """Return ``experiment`` with its convolutions' channels times ``factor``; networks of a fixed width stay.

    Args:
        experiment: with a network of blocks, a plain convnet or a pre-activation ResNet.
        factor: above 0, at most 1.
    """
    model = experiment.model
    if isinstance(model, Sequential):
        model = Sequential.model_validate(_scale_blocks(model.model_dump(mode="json"), factor))
    elif isinstance(model, Cnn):
        model = model.model_copy(update={"widths": tuple(_scale(width, factor) for width in model.widths)})
    elif isinstance(model, PreactResnet):
        widths = tuple(_scale(width, factor) for width in model.widths)
        model = model.model_copy(update={"stem": _scale(model.stem, factor), "widths": widths})
    return experiment.model_copy(update={"model": model})


def _scale(channels: int, factor: float) -> int:
    """Return a number of channels that still divides by 8, so that a bottleneck's inner ones come out whole.

    >>> _scale(32, 0.5), _scale(48, 0.25), _scale(32, 0.01)
    (16, 16, 8)
    """
    return max(8 * round(channels * factor / 8 + 0.01), 8)


def _scale_blocks(tree: Any, factor: float) -> Any:
    if isinstance(tree, dict):
        return {
            key: _scale(value, factor) if key == "out_channels" else _scale_blocks(value, factor)
            for key, value in tree.items()
        }
    return [_scale_blocks(item, factor) for item in tree] if isinstance(tree, list) else tree
