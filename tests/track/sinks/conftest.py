import importlib.util
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from windtunnel.track.choice import TRACKERS, Tracking
from windtunnel.track.relay import relaying

from ..conftest import make_info, make_report, make_run_folder, make_summary

PICTURE_SIZE = (3, 2)
_OTHERS = ("WANDB_", "MLFLOW_", "TRACKIO_")


@dataclass(frozen=True)
class Tracked:
    """A run of a sweep that trackers were told of, and where they were to store it."""

    folder: Path
    home: Path


@pytest.fixture(scope="session")
def tracked(tmp_path_factory):
    """The run as TensorBoard and trackio got it, both at once."""
    return track_whole_run(tmp_path_factory.mktemp("quick"), ("tensorboard", "trackio"))


@pytest.fixture(scope="session")
def tracked_slowly(tmp_path_factory):
    """The run as those got it whose packages take seconds to import, both at once."""
    return track_whole_run(tmp_path_factory.mktemp("slow"), ("wandb", "mlflow"))


def track_whole_run(home, names):
    """Track a run that was killed after step 20, went on from its checkpoint at step 10 and ended at step 40.

    It goes on in another working directory.
    """
    sweep = home / "runs" / "tests" / "lr_sweep"
    folder = make_run_folder(sweep / "runs" / "0001-ab12-s0")
    (sweep / "sweep.yaml").write_text("name: lr_sweep\n")
    choices = [TRACKERS[name] for name in names]
    installed = tuple(choice for choice in choices if all(map(importlib.util.find_spec, choice.packages)))
    tracking, said = Tracking(installed, wait_s=200.0), []
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(_OTHERS)]:
            patch.delenv(name)
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("WANDB_CONFIG_DIR", str(home / "wandb-config"))
        patch.setenv("TRACKIO_DIR", str(home / "trackio"))
        patch.setenv("A_PASSWORD", "hunter2")
        for start_step, epochs, place in ((0, (1, 2), "first"), (10, (2, 3, 4), "second")):
            (home / place).mkdir()
            patch.chdir(home / place)
            with relaying(tracking, said.append, pictures={"curves": folder / "curves.png"}) as relays:
                for relay in relays:
                    relay.start(make_info(folder, start_step=start_step))
                    for epoch in epochs:
                        relay.epoch(make_report(epoch))
                if start_step:
                    (folder / "curves.png").write_bytes(make_png())
                    for relay in relays:
                        relay.finish(make_summary())
    assert [each for each in said if each.kind == "warning"] == []
    return Tracked(folder, home)


def make_png():
    """Return a small picture."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    width, height = PICTURE_SIZE
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(height * (1 + 3 * width)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
