"""Weights and training states made or damaged by somebody else: a CheckpointError or a ModelError, and no code run."""

import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from torch import nn

from fuzz.damage import damaged
from windtunnel.config.experiment import Experiment
from windtunnel.errors import CheckpointError, ModelError
from windtunnel.models.weights import read_weights
from windtunnel.training.assemble import Parts, assemble
from windtunnel.training.checkpoint import load_checkpoint, load_weights, save_checkpoint
from windtunnel.training.state import TrainState

EXAMPLES = int(os.environ.get("WINDTUNNEL_FUZZ_EXAMPLES", "40"))
CAMPAIGN = settings(
    max_examples=EXAMPLES,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
    derandomize=EXAMPLES < 1000,
)
WEIGHTS = save({"weight": torch.ones(2, 3), "bias": torch.zeros(2)})


@pytest.fixture(scope="module")
def parts(tiny: Experiment) -> Parts:
    return assemble(tiny)


@pytest.fixture(scope="module")
def saved(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What ``state.pt`` holds before the first step."""
    folder = tmp_path_factory.mktemp("saved")
    save_checkpoint(folder, parts, TrainState.fresh(parts.device))
    return (folder / "state.pt").read_bytes()


def load(content: bytes, parts: Parts, folder: Path) -> None:
    (folder / "state.pt").write_bytes(content)
    load_checkpoint(folder, parts, TrainState.fresh(parts.device))


def read_all(content: bytes, folder: Path) -> None:
    """Read a weights file in both of the ways there are, each of which may refuse it."""
    path = folder / "any.safetensors"
    path.write_bytes(content)
    try:
        load_weights(path, nn.Linear(3, 2))
    except CheckpointError as error:
        assert str(path) in str(error)
    try:
        read_weights(path)
    except ModelError as error:
        assert str(path) in str(error)


@CAMPAIGN
@given(content=damaged([WEIGHTS]))
def test_damaged_weights_are_read_or_refused(content: bytes, tmp_path: Path) -> None:
    read_all(content, tmp_path)


def with_header(header: object, size: int | None = None, data: bytes = bytes(64)) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


ENTRY = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}


@pytest.mark.parametrize(
    "content",
    [
        with_header({"weight": ENTRY}, size=2**63),
        with_header({"weight": ENTRY}, size=10**8),
        with_header({"weight": {**ENTRY, "data_offsets": [0, 2**62]}}),
        with_header({"weight": {**ENTRY, "shape": [2**40, 2**40]}}),
        with_header({"weight": {**ENTRY, "shape": [2**31, 0]}}),
        with_header({"weight": {**ENTRY, "dtype": "F4"}}),
        with_header({"weight": {**ENTRY, "dtype": "C64", "data_offsets": [0, 48]}}, data=bytes(48)),
        with_header({"weight": {**ENTRY, "dtype": "os.system"}}),
        with_header({"weight": ENTRY, "bias": {**ENTRY, "data_offsets": [8, 16], "shape": [2]}}, data=bytes(24)),
        with_header([]),
        with_header({"weight": None}),
        b"",
        b"\x80\x04K\x01.",
        b"PK\x03\x04",
    ],
)
def test_weights_whose_header_lies_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "any.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError):
        load_weights(tmp_path / "any.safetensors", nn.Linear(3, 2))
    read_all(content, tmp_path)


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_under_another_name_runs_nothing(parts: Parts, tmp_path: Path) -> None:
    made = tmp_path / "made"
    stream = io.BytesIO()
    torch.save({"version": 1, "model": Payload(made)}, stream)
    for content in (stream.getvalue(), pickle.dumps(Payload(made)), pickle.dumps(Payload(made), protocol=0)):
        read_all(content, tmp_path)
        with pytest.raises(CheckpointError):
            load(content, parts, tmp_path)
    assert not made.exists()


def test_an_archive_of_a_network_with_code_is_refused(parts: Parts, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "state.pt", "w") as archive:
        archive.writestr("any/constants.pkl", pickle.dumps(()))
        archive.writestr("any/code/__torch__.py", "import os")
        archive.writestr("../../outside", "x")
    with pytest.raises(CheckpointError, match="delete it to train this run from the start"):
        load_checkpoint(tmp_path, parts, TrainState.fresh(parts.device))
    assert not (tmp_path.parent.parent / "outside").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"model": None},
        {"model": []},
        {"model": {"a": 1}},
        {"optimizer": None},
        {"optimizer": {}},
        {"optimizer": {"state": 1}},
        {"averaging": None},
        {"state": None},
        {"state": {"step": "one"}},
        {"state": {"nothing": 1}},
        {"state": {"__class__": 1}},
        {"state": {"loss_sum": 3}},
        {"rng": {}},
        {"rng": {"cpu": torch.zeros(3)}},
        {"rng": None},
        {"version": "1"},
        {"version": 99},
        {"rng": {"cpu": "x"}},
        {"rng_of_others": 3},
    ],
)
def test_a_state_of_other_things_is_refused(
    change: dict[str, object], saved: bytes, parts: Parts, tmp_path: Path
) -> None:
    whole = torch.load(io.BytesIO(saved), weights_only=True)
    stream = io.BytesIO()
    torch.save({**whole, **change}, stream)
    with pytest.raises(CheckpointError, match=r"state\.pt"):
        load(stream.getvalue(), parts, tmp_path)


@CAMPAIGN
@given(content=st.data())
def test_a_damaged_state_is_read_or_refused(content: st.DataObject, saved: bytes, parts: Parts, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *arguments, **keywords: None)
        try:
            load(content.draw(damaged([saved])), parts, tmp_path)
        except CheckpointError as error:
            assert "state.pt" in str(error)


def test_what_was_saved_is_read(saved: bytes, parts: Parts, tmp_path: Path) -> None:
    load(saved, parts, tmp_path)
