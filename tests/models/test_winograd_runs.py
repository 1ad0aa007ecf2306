"""Runs with ``runtime.convolution: winograd``: what they refuse, that they resume, are estimated and export."""

import signal

import pytest
import torch
from safetensors.torch import load_file

pytest.importorskip("numba")

from training.dying import train_and_die
from windtunnel.config.experiment import Experiment
from windtunnel.config.files import dump_yaml
from windtunnel.config.problems import validate_tree
from windtunnel.config.run import RuntimeConfig
from windtunnel.dispatch.estimate.trace import trace
from windtunnel.dispatch.fused.plan import Refusal, fuse
from windtunnel.errors import ConfigError, UsageError
from windtunnel.models.winograd import use
from windtunnel.models.winograd.layers import WinogradConv2d
from windtunnel.training.assemble import assemble
from windtunnel.training.export import export
from windtunnel.training.run import resume, train


@pytest.fixture(scope="module", autouse=True)
def one_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def experiment(convolution="winograd", model=None, threads=1):
    """Return two epochs of four steps whose second convolution has 256 tiles."""
    runtime = {"device": "cpu", "tune_allocator": False, "convolution": convolution, "threads": threads}
    split = {"name": "official", "validation": 0.1}
    tree = {
        "name": "small",
        "project": "tests",
        "data": {"source": "digits", "split": split, "batch_size": 64, "train_limit": 256},
        "model": model or {"name": "cnn", "widths": [16, 16], "hidden": 16},
        "optim": {"name": "sgd", "lr": 0.05},
        "ema": {"decay": 0.9},
        "train": {"epochs": 2.0, "checkpoint_every": 0.5},
        "runtime": runtime,
    }
    return validate_tree(Experiment, tree, "experiment")


def weights_of(folder):
    return load_file(folder / "checkpoints" / "last.safetensors")


def test_a_run_learns_what_the_direct_one_learns(tmp_path):
    runs = {name: train(experiment(name), runs_dir=tmp_path / name) for name in ("direct", "winograd")}
    direct, winograd = (weights_of(run.folder) for run in runs.values())
    assert direct.keys() == winograd.keys()
    assert not all(torch.equal(direct[name], winograd[name]) for name in direct), "nothing was replaced"
    for name in direct:
        torch.testing.assert_close(winograd[name], direct[name], rtol=1e-3, atol=1e-4)


def test_a_killed_run_resumes_to_the_same_bits(tmp_path, forks):
    undisturbed = train(experiment(), runs_dir=tmp_path / "undisturbed")
    config, runs = tmp_path / "experiment.yaml", tmp_path / "killed"
    config.write_text(dump_yaml(experiment()))
    assert forks.run(train_and_die, config, runs, 6, "SIGKILL") == -signal.SIGKILL
    result = resume(next(runs.glob("tests/*")))
    one, other = weights_of(undisturbed.folder), weights_of(result.folder)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert result.summary["metrics"] == undisturbed.summary["metrics"]


def test_the_export_is_a_plain_network(tmp_path):
    run = train(experiment(), runs_dir=tmp_path)
    assert export(run.folder, out=tmp_path / "exported", format="torch").largest_difference < 1e-3


@pytest.mark.parametrize(
    ("field", "value"),
    [("precision", "bfloat16"), ("compile", "default"), ("channels_last", False), ("device", "cuda:0")],
)
def test_what_it_cannot_go_with_is_refused_by_name(field, value):
    with pytest.raises(ConfigError, match=f"set {field}: .* or convolution: direct"):
        validate_tree(RuntimeConfig, {"convolution": "winograd", field: value}, "runtime")


def test_a_network_without_such_convolutions_is_refused():
    with pytest.raises(UsageError, match=r"no 3x3 convolution.*runtime\.convolution=direct"):
        assemble(experiment(model={"name": "mlp"}))


def test_a_gpu_is_refused():
    with pytest.raises(UsageError, match=r"for CPUs, not cuda.*runtime\.device=cpu"):
        use.check_can_use(torch.device("cuda"))


def test_without_numba_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(use.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"windtunnel\[numba\].*runtime\.convolution=direct"):
        use.check_can_use(torch.device("cpu"))


def test_the_estimate_is_the_direct_one_and_what_threads_work_in():
    model = {"name": "cnn", "widths": [64, 64], "hidden": 16}
    direct, one, two = (
        trace(experiment(convolution, model, threads))
        for convolution, threads in (("direct", 1), ("winograd", 1), ("winograd", 2))
    )
    assert direct.step_flops == one.step_flops
    assert direct.train_peak < one.train_peak < two.train_peak
    assert direct.gradients == one.gradients


def test_runs_that_use_it_are_not_stacked():
    alone = experiment().model_copy(update={"ema": None})
    answer = fuse([alone, alone])
    assert isinstance(answer, Refusal)
    assert "runtime.convolution" in answer.reason


def test_the_network_that_trains_holds_the_replacements():
    layers = [type(layer) for layer in assemble(experiment()).model.modules()]
    assert WinogradConv2d in layers
