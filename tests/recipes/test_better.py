"""Recipes meant to beat S1, S3 and S4: the limits they keep, and that each of them trains."""

import pytest
import torch

from recipes.test_fast import SMALL, teraflops
from windtunnel.config.models import ImprovedResnet, SlimResnet
from windtunnel.errors import ModelError
from windtunnel.models.summary import count_macs
from windtunnel.recipes import load_experiment, load_recipe
from windtunnel.training.assemble import assemble, initialise_from_data
from windtunnel.training.state import TrainState
from windtunnel.training.step import train_step

NARROW = {
    "s1_better": ["model.widths=[4,8,8]"],
    "s3_better": ["model.widths=[[4,8],[8,8],[8,16]]"],
    "s4_better": ["model.widths=[[4,8],[8,8],[8,16]]"],
}
LIMITS = {"s3_better": (400, ImprovedResnet()), "s4_better": (100, SlimResnet())}


def build(model):
    with torch.device("meta"):
        return model.build(num_classes=10, in_channels=3, image_size=(32, 32))


@pytest.mark.parametrize("name", NARROW)
def test_two_updates_move_what_trains(name, images):
    parts = assemble(load_experiment(name, [images(3, 32), *SMALL, *NARROW[name]]))
    initialise_from_data(parts)
    state = TrainState.fresh(parts.device)
    before = {key: value.detach().clone() for key, value in parts.model.named_parameters()}
    for batch, _ in zip(parts.loader.epoch(0), range(2), strict=False):
        train_step(parts, state, batch)
    still = {key for key, value in parts.model.named_parameters() if torch.equal(before[key], value)}
    assert still == {key for key, value in parts.model.named_parameters() if not value.requires_grad}
    assert torch.isfinite(state.loss_sum)


@pytest.mark.parametrize("name", LIMITS)
def test_the_report_s_limits_are_kept(name):
    recipe, (epochs, theirs) = load_recipe(name), LIMITS[name]
    ours = build(recipe.model)
    assert sum(one.numel() for one in ours.parameters()) <= recipe.budget.parameters < 5_000_000
    assert recipe.train.epochs <= epochs
    shape = (3, 32, 32)
    assert count_macs(ours, shape)[""] < count_macs(build(theirs), shape)[""]
    assert recipe.data.split == load_recipe(name.removesuffix("_better")).data.split


def test_a_network_over_the_limit_is_refused(images):
    with pytest.raises(ModelError, match=r"budget.parameters: .* exceeds 4,999,999"):
        assemble(load_experiment("s3_better", [images(3, 32), *SMALL, "model.widths=[[64,128],[192,256],[320,512]]"]))


def test_s1_is_answered_by_less_work_on_the_same_network():
    assert teraflops("cifar10/s1_better") / teraflops("cifar10/airbench94") == pytest.approx(0.675, abs=0.005)
    ours, base, fast = (load_recipe(name) for name in ("s1_better", "airbench94", "fast94"))
    assert (ours.model.widths, ours.model.depth) == (base.model.widths, base.model.depth)
    assert [tuple(pair) for pair in fast.model.widths] == [(width, width) for width in ours.model.widths]
    assert ours.model_copy(update={"name": fast.name, "model": fast.model}) == fast
    assert (ours.data.source, ours.data.split) == (base.data.source, base.data.split)
