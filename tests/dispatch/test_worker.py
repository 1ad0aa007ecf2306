"""The worker itself, with real training."""

import errno
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from windtunnel.config.data import DataConfig, Digits, OfficialSplit
from windtunnel.config.experiment import Experiment
from windtunnel.config.files import dump_yaml
from windtunnel.config.models import Cnn
from windtunnel.config.optim import Sgd
from windtunnel.config.run import RuntimeConfig, TrainConfig
from windtunnel.dispatch.order import OUT_OF_MEMORY_EXIT, STORAGE_EXIT, Order, read_heartbeat, read_result
from windtunnel.dispatch.worker import run_order

WORKER = (sys.executable, "-m", "windtunnel.dispatch.worker")


def digits(*, epochs=2.0, lr=0.05, device="cpu"):
    return Experiment(
        name="digits",
        data=DataConfig(source=Digits(), split=OfficialSplit(validation=0.1), batch_size=16, train_limit=64),
        model=Cnn(widths=(4,), hidden=8),
        optim=Sgd(lr=lr),
        train=TrainConfig(epochs=epochs),
        runtime=RuntimeConfig(device=device, tune_allocator=False, threads=1, augment_backend="torch"),
    )


def make_order(tmp_path, experiment, **changes):
    path = tmp_path / "experiment.yaml"
    path.write_text(dump_yaml(experiment))
    files = {name: str(tmp_path / f"{name}.json") for name in ("heartbeat", "result")}
    return Order(
        **{"job": "a", "attempt": 1, "folder": str(tmp_path / "run"), "experiment": str(path)} | files | changes
    )


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def test_a_worker_trains_and_says_how_it_went(tmp_path, capsys):
    order = make_order(tmp_path, digits())
    assert run_order(order) == 0
    assert "epoch 2/2: loss" in capsys.readouterr().out
    beat, result = read_heartbeat(Path(order.heartbeat)), read_result(Path(order.result))
    assert (beat.step, beat.total_steps, beat.reports) == (8, 8, 2)
    assert (result.cause, result.reason) == ("finished", "all epochs trained")
    assert result.peak_bytes >= beat.peak_bytes > 10**7
    assert json.loads((tmp_path / "run/summary.json").read_text())["status"] == "finished"


def test_divergence_is_no_failure(tmp_path):
    order = make_order(tmp_path, digits(lr=1e30))
    assert run_order(order) == 1
    assert read_result(Path(order.result)).cause == "diverged"


def test_what_cannot_be_run_is_said(tmp_path, capfd):
    order = make_order(tmp_path, digits(device="cuda:99"))
    assert run_order(order) == 2
    result = read_result(Path(order.result))
    assert result.cause == "usage"
    assert "cuda:99" in result.reason
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's device that is always full")
def test_a_log_on_a_full_disk_does_not_change_how_the_worker_ends(tmp_path):
    order = make_order(tmp_path, digits(device="cuda:99"))
    order.write(tmp_path / "order.json")
    with Path("/dev/full").open("w") as full:
        command = [*WORKER, str(tmp_path / "order.json")]
        worker = subprocess.run(command, stdout=full, stderr=full, timeout=240, check=False)
    assert worker.returncode == 2
    assert read_result(Path(order.result)).cause == "usage"


@pytest.mark.parametrize(
    ("error", "cause", "code"),
    [
        (MemoryError(), "memory", OUT_OF_MEMORY_EXIT),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "memory", OUT_OF_MEMORY_EXIT),
        (RuntimeError("CUDA error: out of memory\nCompile with TORCH_USE_CUDA_DSA"), "memory", OUT_OF_MEMORY_EXIT),
        (
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
            "memory",
            OUT_OF_MEMORY_EXIT,
        ),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory", OUT_OF_MEMORY_EXIT),
        (OSError(errno.ENOSPC, "No space left on device"), "storage", STORAGE_EXIT),
        (RuntimeError("a bug"), "crash", 1),
    ],
)
def test_what_breaks_is_told_apart(tmp_path, monkeypatch, error, cause, code):
    def break_down(*arguments, **keywords):
        raise error

    monkeypatch.setattr("windtunnel.training.run.train_in", break_down)
    order = make_order(tmp_path, digits())
    assert run_order(order) == code
    assert read_result(Path(order.result)).cause == cause


def test_a_run_folder_that_may_not_be_written_is_storage(tmp_path, monkeypatch):
    order = make_order(tmp_path, digits())

    def refuse(*arguments, **keywords):
        raise PermissionError(errno.EACCES, "Permission denied", f"{order.folder}/metrics.csv")

    monkeypatch.setattr("windtunnel.training.run.train_in", refuse)
    assert run_order(order) == STORAGE_EXIT
    assert read_result(Path(order.result)).cause == "storage"


def test_running_out_of_memory_is_known_behind_another_error(tmp_path, monkeypatch):
    def break_down(*arguments, **keywords):
        raise RuntimeError("the compiler failed") from torch.OutOfMemoryError("tried to allocate 2 GiB")

    monkeypatch.setattr("windtunnel.training.run.train_in", break_down)
    assert run_order(make_order(tmp_path, digits())) == OUT_OF_MEMORY_EXIT


def test_the_heart_beats_while_another_thread_imports_torch(tmp_path):
    """A new process for a GPU beats from its start, when torch is there and ``torch.cuda`` not yet."""
    order = make_order(tmp_path, digits(), device="cuda", context_bytes=7)
    program = (
        "import sys, types\n"
        "from pathlib import Path\n"
        "from windtunnel.dispatch.order import Order\n"
        "from windtunnel.dispatch.worker import read_peak\n"
        "order = Order.read(Path(sys.argv[1]))\n"
        "assert 'torch' not in sys.modules\n"
        "sys.modules['torch'] = types.ModuleType('torch')\n"
        "first = read_peak(order)\n"
        "sys.modules['torch.cuda'] = types.ModuleType('torch.cuda')\n"
        "print(first, read_peak(order))\n"
    )
    order.write(tmp_path / "order.json")
    said = subprocess.run([sys.executable, "-c", program, tmp_path / "order.json"], capture_output=True, text=True)
    assert (said.stdout, said.stderr) == ("0 0\n", "")


def test_a_fault_of_the_gpu_does_not_keep_the_result_from_being_written(tmp_path, monkeypatch):
    def refuse(*arguments, **keywords):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr("windtunnel.training.run.train_in", refuse)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", refuse)
    order = make_order(tmp_path, digits(), device="cuda")
    assert run_order(order) == 1
    assert read_result(Path(order.result)).cause == "crash"


def test_a_killed_worker_is_continued_by_the_next_to_the_same_bits(tmp_path, forks):
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    for folder in (undisturbed, disturbed):
        folder.mkdir()
    run_order(make_order(undisturbed, digits(epochs=3.0)))
    order = make_order(disturbed, digits(epochs=3.0))
    worker = forks.start(run_order, order)
    while not (disturbed / "run/checkpoints/state.pt").exists():
        assert worker.is_alive()
        time.sleep(0.005)
    worker.kill()
    worker.join()
    assert run_order(order) == 0
    ended = [load_file(folder / "run/checkpoints/last.safetensors") for folder in (undisturbed, disturbed)]
    assert all(ended[0][name].equal(ended[1][name]) for name in ended[0])


def test_a_worker_whose_claim_is_gone_stops(tmp_path):
    order = make_order(tmp_path, digits(epochs=10_000.0), claim=str(tmp_path / "claim"))
    path = tmp_path / "order.json"
    order.write(path)
    worker = subprocess.run([*WORKER, str(path)], timeout=240, check=False)
    assert worker.returncode in (143, -signal.SIGTERM)
