"""S0's and S2's own runs as recipes, and those meant to beat them: the limits they keep, and that they train."""

import numpy as np
import pytest
import torch

from windtunnel.config.models import ModelConfig
from windtunnel.models.summary import count_macs
from windtunnel.recipes import load_experiment, load_recipe, load_sweep_recipe
from windtunnel.recipes.s0 import S0_MODELS, S0_POLICIES, build_s0
from windtunnel.training.assemble import assemble
from windtunnel.training.state import TrainState
from windtunnel.training.step import train_step

BLOCKS_OF_S0 = {"conv", "residual", "bottleneck", "double_encode", "highway", "branch", "head"}


@pytest.fixture
def source(tmp_path, monkeypatch):
    """40 random colour images of CIFAR's size, ten classes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    drawn = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "drawn.npz", images=drawn, labels=np.arange(40) % 10)
    return f"data.source={{name: npz, path: {tmp_path / 'drawn.npz'}}}"


def build(model: ModelConfig) -> torch.nn.Module:
    with torch.device("meta"):
        return model.build(num_classes=10, in_channels=3, image_size=(32, 32))


def count_parameters(model: ModelConfig) -> int:
    return sum(one.numel() for one in build(model).parameters())


@pytest.mark.parametrize("name", ["s0", "s0_better", "s2_better"])
def test_two_updates_move_every_weight(name, source):
    small = ["data.batch_size=8", "runtime.device=cpu", "runtime.threads=1", "runtime.tune_allocator=false"]
    # without a warm-up, since the first of its rates is 0
    parts = assemble(load_experiment(name, [source, *small, "schedule.warmup_epochs=0"]))
    state = TrainState.fresh(parts.device)
    before = {key: value.detach().clone() for key, value in parts.model.named_parameters()}
    for batch, _ in zip(parts.loader.epoch(0), range(2), strict=False):
        train_step(parts, state, batch)
    assert [key for key, value in parts.model.named_parameters() if torch.equal(before[key], value)] == []
    assert torch.isfinite(state.loss_sum)


def test_s0_is_answered_with_its_blocks_and_within_its_limits():
    ours, theirs = load_recipe("s0_better"), load_recipe("s0")
    assert {block.name for block in ours.model.blocks} <= BLOCKS_OF_S0
    assert count_parameters(ours.model) == 7_753_792 < count_parameters(theirs.model) == 9_623_786
    assert ours.data == theirs.data
    assert ours.train.epochs <= theirs.train.epochs == 200
    ratio = count_macs(build(ours.model), (3, 32, 32))[""] / count_macs(build(theirs.model), (3, 32, 32))[""]
    assert ratio == pytest.approx(4.1, abs=0.1), "the docstring says how much more it computes"


def test_s2_is_answered_with_its_network_and_within_its_limits():
    ours, theirs = load_recipe("s2_better"), load_recipe("s2_extended")
    assert (ours.model, ours.data) == (theirs.model, theirs.data)
    assert ours.train.epochs <= theirs.train.epochs == 100


def test_s0_s_protocol():
    recipe = load_recipe("s0")
    assert recipe.schedule.stop_below_lr == 1e-7
    assert (recipe.optim.lr, recipe.train.lr_scaling) == (0.05, None)
    split = recipe.data.split
    assert [round(50_000 * part) for part in (split.train, split.validation, split.test)] == [40_000, 5_000, 5_000]
    assert recipe.augment == load_experiment("s0", ["augment=easy"]).augment


def test_every_cell_of_s0_s_tables_is_an_experiment():
    space = load_sweep_recipe("s0_sweep").space
    assert (space["model"].values, space["augment"].values) == (S0_MODELS, S0_POLICIES)
    built = {build_s0(model, policy).model_dump_json() for model in S0_MODELS for policy in S0_POLICIES}
    assert len(built) == 52


def test_s2_s_longer_run_is_the_grid_s_with_twice_the_epochs():
    grid, longer = load_sweep_recipe("s2_sweep"), load_recipe("s2_extended")
    sgd = next(values for values in grid.space["optim"].values if values["name"] == "sgd")
    assert {name: getattr(longer.optim, name) for name in sgd} == sgd
    assert (longer.optim.lr, longer.schedule.t_max) == (1e-2, 2 * grid.space["schedule"].values[1]["t_max"])
    assert longer.train.epochs == 2 * grid.base["train"]["epochs"]
