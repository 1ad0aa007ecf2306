"""Saving and loading: weights as safetensors for everybody, the whole training state for resuming.

``state.pt`` alone is enough to go on, so that no crash can leave two files that do not belong together;
``last.safetensors`` is the copy of its weights that evaluation and other tools read. The state is written last: a run
that is killed in between goes on from the state before and writes the copy once more. The other way round, a copy that
missed the last epoch would be missing it for good.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import torch
from safetensors.torch import load_file
from safetensors.torch import save as pack_tensors
from torch import Tensor, nn

from windtunnel.core.files import replacing
from windtunnel.errors import CheckpointError
from windtunnel.optim.groups import put_rates_on_device
from windtunnel.optim.plateau import Plateau
from windtunnel.training.assemble import Parts
from windtunnel.training.state import TrainState
from windtunnel.training.weights import judged_weights

STATE_VERSION = 1
RandomState = dict[str, Tensor]
_NAMES_SHOWN = 5


def save_checkpoint(folder: Path, parts: Parts, state: TrainState) -> None:
    """Write ``last.safetensors``, with an average ``ema.safetensors``, then ``state.pt``, each whole or not at all.

    Every process of a team takes part and the leader writes.
    """
    streams = parts.team.gather(_random_state(parts.device))
    if not parts.team.is_leader:
        return
    with judged_weights(parts):
        save_weights(folder / "last.safetensors", parts.model)
    if parts.ema is not None:
        with parts.ema.swapped_in():
            save_weights(folder / "ema.safetensors", parts.model)
    _write_state(folder / "state.pt", _pack(parts, state, streams))


def load_checkpoint(folder: Path, parts: Parts, state: TrainState) -> None:
    """Put ``parts`` and ``state`` where ``folder``'s ``state.pt`` left off, random streams included.

    Raises:
        CheckpointError: the file is damaged, from a newer windtunnel or from another model.
    """
    path = folder / "state.pt"
    saved = _read_state(path)
    try:
        _put_back(saved, str(path), parts, state)
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:  # whatever lies where it ought
        raise CheckpointError(
            f"{path} holds no training state of this run ({type(error).__name__}: {error}); delete it to train this "
            "run from the start"
        ) from error


def _put_back(saved: dict[str, Any], source: str, parts: Parts, state: TrainState) -> None:
    load_weights_into(parts.model, saved["model"], source)
    parts.optimizer.load_state_dict(saved["optimizer"])
    parts.scaler.load_state_dict(saved["scaler"])
    if parts.averaging is not None:
        parts.averaging.load_state_dict(saved["averaging"])
    if parts.ema is not None:
        parts.ema.load_state_dict(saved["ema"])
    if parts.experiment.runtime.cuda_graph:
        put_rates_on_device(parts.optimizer, parts.device)
    if isinstance(parts.schedule, Plateau):
        parts.schedule.load_state_dict(saved["schedule"])
    state.load_state_dict(saved["state"])
    _set_random_state([saved["rng"], *saved.get("rng_of_others", ())], parts)


def save_weights(path: Path, model: nn.Module) -> None:
    """Write the model's state as safetensors."""
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
    with replacing(path) as temporary:  # not by the package's own writer, whose errors do not tell a full disk
        temporary.write_bytes(pack_tensors(tensors, metadata={"format": "pt"}))


def load_weights(path: Path, model: nn.Module) -> None:
    """Read safetensors at ``path`` into ``model``.

    Raises:
        CheckpointError: the file is missing, damaged or from another model.
    """
    try:
        weights = load_file(path)
    except Exception as error:  # a damaged header also makes torch raise what it will
        raise CheckpointError(f"cannot read weights {path}: {error}") from error
    load_weights_into(model, weights, str(path))


def load_weights_into(model: nn.Module, weights: dict[str, Tensor], source: str) -> None:
    """Copy ``weights`` into ``model``, every name and shape equal.

    Raises:
        CheckpointError: names or shapes differ; says which.
    """
    mine = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if not isinstance(weights, dict) or not all(isinstance(tensor, Tensor) for tensor in weights.values()):
        raise CheckpointError(f"{source} holds no weights by name")
    theirs = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    differences = [f"{name} is missing" for name in mine if name not in theirs]
    differences += [f"{name} is unknown" for name in theirs if name not in mine]
    differences += [
        f"{name} is {theirs[name]}, not {mine[name]}" for name in mine if theirs.get(name, mine[name]) != mine[name]
    ]
    if differences:
        shown = "; ".join(differences[:_NAMES_SHOWN])
        more = f"; and {len(differences) - _NAMES_SHOWN} more" if len(differences) > _NAMES_SHOWN else ""
        raise CheckpointError(f"{source} holds the weights of another model: {shown}{more}")
    model.load_state_dict(weights)


def _random_state(device: torch.device) -> RandomState:
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def _set_random_state(states: Sequence[RandomState], parts: Parts) -> None:
    """Go on with this process's streams; a process, or GPU, the saved run did not have keeps those it started with."""
    if parts.team.rank >= len(states):
        return
    mine = states[parts.team.rank]
    torch.set_rng_state(mine["cpu"])
    if parts.device.type == "cuda" and "cuda" in mine:
        torch.cuda.set_rng_state(mine["cuda"], parts.device)


def _pack(parts: Parts, state: TrainState, streams: Sequence[RandomState]) -> dict[str, Any]:
    return {
        "version": STATE_VERSION,
        "model": parts.model.state_dict(),
        "optimizer": parts.optimizer.state_dict(),
        "scaler": parts.scaler.state_dict(),
        "averaging": parts.averaging.state_dict() if parts.averaging else None,
        "ema": parts.ema.state_dict() if parts.ema else None,
        "schedule": parts.schedule.state_dict() if isinstance(parts.schedule, Plateau) else None,
        "state": state.state_dict(),
        "rng": streams[0],
        "rng_of_others": list(streams[1:]),
    }


class _Writer:
    """A binary file that keeps the error of a failed write, of which torch says only that there was one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = self.error or error
            raise

    def flush(self) -> None:
        self._file.flush()


def _write_state(path: Path, state: dict[str, Any]) -> None:
    with replacing(path) as temporary, temporary.open("wb") as file:
        writer = _Writer(file)
        try:
            torch.save(state, cast(IO[bytes], writer))  # which asks no more of it than to write and to flush
        except RuntimeError:
            if writer.error is None:
                raise
            raise writer.error from None


def _read_state(path: Path) -> dict[str, Any]:
    try:
        saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises whatever a damaged file makes it raise
        raise CheckpointError(f"cannot read {path}: {error}; delete it to train this run from the start") from error
    version = saved.get("version") if isinstance(saved, dict) else None
    if not isinstance(version, int) or version > STATE_VERSION:
        raise CheckpointError(
            f"{path} has format {version!r}, this windtunnel reads up to {STATE_VERSION}; upgrade windtunnel"
        )
    return saved
