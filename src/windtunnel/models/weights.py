"""Loading weights that were trained elsewhere into a network, and saying what became of each key."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from windtunnel.errors import ModelError

_PICKLE_STARTS = (b"PK\x03\x04", b"\x80")  # torch.save's zip, and a bare pickle
_LISTED = 5


@dataclass(frozen=True)
class LoadReport:
    """What became of the keys of a weights file.

    Args:
        source: the file.
        loaded: keys taken over as they are.
        resized: keys taken over after fitting the channels of the first layer.
        skipped: keys left out, each with the reason.
        missing: keys of the network that the file does not have; they keep their initialisation.
    """

    source: str
    loaded: tuple[str, ...]
    resized: tuple[str, ...]
    skipped: Mapping[str, str]
    missing: tuple[str, ...]

    def __str__(self) -> str:
        parts = [f"{len(self.loaded)} keys loaded from {self.source}"]
        if self.resized:
            parts.append(f"resized to other channels: {', '.join(self.resized)}")
        if self.skipped:
            parts.append("skipped: " + ", ".join(f"{key} ({reason})" for key, reason in self.skipped.items()))
        if self.missing:
            parts.append(f"left at their initialisation: {', '.join(self.missing)}")
        return "; ".join(parts)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file.

    Raises:
        ModelError: the file is missing, a pickle or damaged.

    """
    if not path.is_file():
        raise ModelError(f"no weights file {path}")
    with path.open("rb") as file:
        if file.read(4).startswith(_PICKLE_STARTS):
            raise ModelError(
                f"{path} is a pickle, which can run code when read; convert it to safetensors "
                "(safetensors.torch.save_file) where you trust its origin"
            )
    try:
        return load_file(path)
    except Exception as error:  # a damaged header also makes torch raise what it will
        raise ModelError(f"{path} is not a readable safetensors file: {error}") from error


@torch.no_grad()
def load_weights(network: nn.Module, tensors: Mapping[str, Tensor], *, source: str, head: str, stem: str) -> LoadReport:
    """Copy ``tensors`` into ``network``: all that fits, or nothing when it is another architecture's.

    Args:
        network: receives the weights.
        tensors: by the network's own names.
        source: where they come from, for messages.
        head: name of the classifier, whose weights are skipped when they are for another number of classes.
        stem: name of the first convolution, whose weights are summed over channels for grey images.

    Raises:
        ModelError: keys other than head and stem are missing, unknown or of another shape.

    """
    state = network.state_dict()
    fitted = {key: _fit(key, tensors[key], state[key], stem=stem) for key in tensors if key in state}
    skipped = {
        key: f"{_shape(tensors[key])} in the file, {_shape(state[key])} here"
        for key, tensor in fitted.items()
        if tensor is None
    }
    missing = tuple(key for key in state if key not in tensors and not key.endswith("num_batches_tracked"))
    foreign = [key for key in tensors if key not in state]
    forgiven = (f"{head}.", f"{stem}.")
    wrong = [*foreign, *(key for key in (*skipped, *missing) if not key.startswith(forgiven))]
    if wrong:
        raise ModelError(_mismatch(source, type(network).__name__, wrong, foreign, skipped))
    taken = {key: tensor for key, tensor in fitted.items() if tensor is not None}
    network.load_state_dict({**state, **taken})
    return LoadReport(
        source=source,
        loaded=tuple(key for key in taken if taken[key] is tensors[key]),
        resized=tuple(key for key in taken if taken[key] is not tensors[key]),
        skipped=skipped,
        missing=missing,
    )


def _fit(key: str, tensor: Tensor, place: Tensor, *, stem: str) -> Tensor | None:
    if tensor.shape == place.shape:
        return tensor
    rest_fits = tensor.ndim == 4 and (tensor.shape[0], *tensor.shape[2:]) == (place.shape[0], *place.shape[2:])
    if key == f"{stem}.weight" and rest_fits and place.shape[1] == 1:
        return tensor.sum(dim=1, keepdim=True)
    return None


def _mismatch(source: str, network: str, wrong: list[str], foreign: list[str], skipped: Mapping[str, str]) -> str:
    def describe(key: str) -> str:
        if key in foreign:
            return f"{key} is unknown here"
        return f"{key} is {skipped[key]}" if key in skipped else f"{key} is not in the file"

    shown = "; ".join(describe(key) for key in wrong[:_LISTED])
    more = f"; and {len(wrong) - _LISTED} more" if len(wrong) > _LISTED else ""
    return f"{source} holds the weights of another network than {network}: {shown}{more}. Nothing was loaded"


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"
