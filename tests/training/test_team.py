"""Two processes train as one does."""

import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

from windtunnel.config.experiment import Experiment
from windtunnel.errors import RunError, UsageError
from windtunnel.track.files import read_rows
from windtunnel.training.assemble import assemble
from windtunnel.training.distributed import _exit_code
from windtunnel.training.folder import RunFolder, list_runs
from windtunnel.training.run import resume
from windtunnel.training.sharing import check_processes
from windtunnel.training.team import ALONE, LOST_ANOTHER, Team

MEMBER = Path(__file__).with_name("team_member.py")
member = runpy.run_path(str(MEMBER))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return what each of two processes made of every case."""
    out = tmp_path_factory.mktemp("pair")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run([*launcher, str(MEMBER), str(out)], check=True, timeout=240, env={**os.environ, "LOGLEVEL": "ERROR"})
    return [torch.load(out / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("name", member["CASES"])
def test_two_processes_give_the_loss_curve_of_one(pair: list[dict[str, Any]], name: str) -> None:
    alone, leader, other = member["train_case"](name, ALONE), pair[0][name], pair[1][name]
    assert leader["sums"] == pytest.approx(alone["sums"], rel=1e-4)
    for ours, expected in zip(leader["reports"], alone["reports"], strict=True):
        assert ours == pytest.approx(expected, rel=1e-4, abs=1e-6)
    torch.testing.assert_close(leader["weights"], alone["weights"], rtol=1e-3, atol=1e-5)
    assert other["weights"].equal(leader["weights"])
    assert other["reports"] == leader["reports"]


def test_a_stopped_and_resumed_team_ends_with_the_bits_of_an_undisturbed_one(pair: list[dict[str, Any]]) -> None:
    runs = [Path(pair[0]["runs"][name]) for name in ("whole", "gone on")]
    assert pair[1]["runs"] == pair[0]["runs"]
    expected, ours = (load_file(run / "checkpoints" / "last.safetensors") for run in runs)
    assert all(ours[name].equal(expected[name]) for name in expected)


def start(words: list[str], tmp_path: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "WINDTUNNEL_RUNS_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "windtunnel.cli.main", *words, "--nproc", "2"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def wait_for(condition: Callable[[], Any], process: subprocess.Popen[str]) -> Any:
    deadline = time.monotonic() + 120
    while not (found := condition()):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.02)
    return found


def members(process: subprocess.Popen[str]) -> dict[str, int]:
    children = psutil.Process(process.pid).children()
    return {rank: child.pid for child in children if (rank := child.environ().get("RANK"))}


@pytest.mark.slow
def test_stopping_reaches_every_process_and_a_killed_one_takes_the_run_down(tmp_path: Path) -> None:
    words = ["quickstart", "train.epochs=6", "model.name=mlp", "runtime.augment_backend=torch"]
    stopped = start(["train", *words], tmp_path)
    folder = wait_for(lambda: list_runs(tmp_path), stopped)[0]
    wait_for(lambda: read_rows(folder / "metrics.csv"), stopped)
    stopped.send_signal(signal.SIGTERM)
    stopped.communicate(timeout=200)
    assert stopped.returncode == 143
    summary = RunFolder(folder).read_summary()
    assert summary is not None and summary["status"] == "interrupted"

    before = len(read_rows(folder / "metrics.csv"))
    killed = start(["resume", str(folder)], tmp_path)
    wait_for(lambda: len(read_rows(folder / "metrics.csv")) > before, killed)
    os.kill(members(killed)["1"], signal.SIGKILL)
    _, said = killed.communicate(timeout=200)
    assert killed.returncode == 1
    assert "process 1 of 2 ended with SIGKILL" in said
    assert f"windtunnel resume {folder} --nproc 2" in said
    assert "Traceback" not in said
    assert resume(folder).status == "finished"


def make(**fields: Any) -> Experiment:
    return Experiment.model_validate({**member["BASE"], **fields})


WEIGHTED = {"name": "cross_entropy", "class_weights": [1.0] * 10}


@pytest.mark.parametrize(
    ("fields", "processes", "message"),
    [
        ({}, 3, r"--nproc 3: data.batch_size is 32 .* use 30 or another multiple of 3"),
        ({"loss": WEIGHTED}, 2, r"weighted mean of loss.class_weights"),
        ({"runtime": {"device": "cpu", "batch_norm": "synced"}}, 2, r"batch_norm=synced: .* use local on a CPU"),
    ],
)
def test_what_processes_cannot_share_is_refused(fields: dict[str, Any], processes: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_processes(make(**fields), processes)


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check_processes(make(runtime={"device": "cuda"}), 2)
    with pytest.raises(UsageError, match="this machine has 2 CUDA devices"):
        check_processes(make(runtime={"device": "auto"}), 4)
    with pytest.raises(UsageError, match=r"set runtime\.device=cuda"):
        check_processes(make(runtime={"device": "cuda:1"}), 2)


def test_a_last_batch_that_cannot_be_shared_out_is_refused() -> None:
    odd = make(data={**member["BASE"]["data"], "train_limit": 97})
    with pytest.raises(UsageError, match=r"last batch of an epoch has 1 images.*data\.drop_last=true"):
        assemble(odd, team=Team(0, 2))


@pytest.mark.parametrize(
    ("codes", "expected"), [({0: 2, 1: LOST_ANOTHER}, 2), ({1: -15, 0: 143}, 143), ({0: 1, 1: 0}, 1)]
)
def test_the_exit_code_is_that_of_the_process_that_ended_by_itself(codes: dict[int, int], expected: int) -> None:
    assert _exit_code(codes, 2, "") == expected


@pytest.mark.parametrize("codes", [{0: LOST_ANOTHER, 1: -9}, {0: LOST_ANOTHER, 1: -15}])
def test_a_process_that_was_killed_is_no_exit_code_but_an_error(codes: dict[int, int]) -> None:
    with pytest.raises(RunError, match="go on with"):
        _exit_code(codes, 2, "windtunnel resume last")
