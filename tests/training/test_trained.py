from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from windtunnel.config.budget import BudgetConfig
from windtunnel.config.experiment import Experiment
from windtunnel.config.models import Resnet18
from windtunnel.config.run import EarlyStopping, RuntimeConfig, TrainConfig
from windtunnel.core.device import resolve_device
from windtunnel.training.folder import RunFolder
from windtunnel.training.inspect import evaluate
from windtunnel.training.run import train
from windtunnel.training.trained import load_trained, runtime_for_use


def test_a_run_trained_with_winograd_is_used_on_gpus_with_their_own_convolutions():
    runtime = RuntimeConfig(convolution="winograd")
    assert runtime_for_use(runtime, torch.device("cuda", 0)).convolution == "direct"


def test_a_run_trained_with_a_recorded_update_is_used_where_nothing_can_be_recorded():
    assert not runtime_for_use(RuntimeConfig(cuda_graph=True), torch.device("cpu")).cuda_graph


def test_what_use_needs_as_well_stays():
    runtime = RuntimeConfig(threads=2, channels_last=False, precision="bfloat16")
    assert runtime_for_use(runtime, torch.device("cpu")) == runtime.model_copy(update={"device": "cpu"})


def test_a_run_trained_on_a_gpu_that_is_not_here_is_used_on_what_there_is(tiny: Experiment, runs_dir: Path) -> None:
    folder = RunFolder(train(tiny.model_copy(update={"train": TrainConfig(epochs=0.1)}), runs_dir=runs_dir).folder)
    elsewhere = tiny.model_copy(update={"runtime": RuntimeConfig(device="cuda:63", cuda_graph=True)})
    assert load_trained(folder, elsewhere, "last").device == resolve_device("auto")


def test_a_run_is_used_with_the_weights_its_test_figures_are_of(tiny: Experiment, runs_dir: Path) -> None:
    plain = train(tiny, runs_dir=runs_dir)
    rule = EarlyStopping(metric="val_loss", patience=1, min_delta=100.0)  # so that the first validation is the best
    stopped = train(tiny.model_copy(update={"train": TrainConfig(early_stopping=rule)}), runs_dir=runs_dir)
    for run, weights in ((plain, "last"), (stopped, "best")):
        again = evaluate(run.folder, split="test")
        assert (again.weights, again.metrics.accuracy) == (weights, run.summary["metrics"]["test_accuracy"])
    assert evaluate(stopped.folder, split="test", weights="last").metrics.loss != again.metrics.loss


def test_a_run_is_used_without_the_weights_it_started_from_and_without_its_budget(
    tiny: Experiment, runs_dir: Path, tmp_path: Path
) -> None:
    start = tmp_path / "start.safetensors"
    context = {"num_classes": 10, "in_channels": 1, "image_size": (8, 8)}
    save_file(Resnet18().build(**context).state_dict(), start)
    started = {"model": Resnet18(weights=str(start)), "budget": BudgetConfig(latency_ms=1e5)}
    experiment = tiny.model_copy(update={**started, "train": TrainConfig(epochs=0.1)})
    folder = RunFolder(train(experiment, runs_dir=runs_dir).folder)
    start.unlink()
    slower = experiment.model_copy(update={"budget": BudgetConfig(latency_ms=1e-6)})  # as on a busy machine
    parts = load_trained(folder, slower, "last")
    assert parts.experiment.model == experiment.model
    kept = load_file(folder.checkpoints / "last.safetensors")
    assert torch.equal(parts.model.state_dict()["conv1.weight"], kept["conv1.weight"])
