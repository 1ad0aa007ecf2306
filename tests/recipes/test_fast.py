"""Our own speed recipes: what they cost, and that each of them trains."""

import itertools

import pytest
import torch

from windtunnel.errors import UsageError
from windtunnel.models.summary import count_macs
from windtunnel.recipes import list_recipes, load_experiment, load_recipe
from windtunnel.recipes.load import fast_recipe
from windtunnel.training.assemble import assemble, initialise_from_data
from windtunnel.training.state import TrainState
from windtunnel.training.step import train_step

FAST = [name for name in list_recipes() if "/fast" in name]
SMALL = ["data.batch_size=16", "runtime.device=cpu", "runtime.threads=1", "runtime.tune_allocator=false"]
NARROW = ["model.widths=[[4,8],[8,8],[8,16]]"]


def teraflops(name):
    """Count six a multiply-add of 50,000 images an epoch at each size."""
    experiment = load_recipe(name)
    with torch.device("meta"):
        net = experiment.model.build(num_classes=10, in_channels=3, image_size=(32, 32))
    train = experiment.train
    sizes = [*(train.resize or ((0.0, 32),)), (train.epochs, 0)]
    spans = [(until - start, size) for (start, size), (until, _) in itertools.pairwise(sizes)]
    return sum(epochs * 50_000 * 6 * count_macs(net, (3, size, size))[""] for epochs, size in spans) / 1e12


@pytest.mark.parametrize("name", FAST)
def test_weights_that_train_move_and_the_loss_stays_finite(name, images):
    colour = not name.startswith("mnist")
    source = images(3, 32) if colour else images(1, 28)
    parts = assemble(load_experiment(name, [source, *SMALL, *(NARROW if colour else [])]))
    initialise_from_data(parts)
    state = TrainState.fresh(parts.device)
    before = {key: value.detach().clone() for key, value in parts.model.named_parameters()}
    for batch, _ in zip(parts.loader.epoch(0), range(3), strict=False):
        train_step(parts, state, batch)
    still = {key for key, value in parts.model.named_parameters() if torch.equal(before[key], value)}
    assert still == {key for key, value in parts.model.named_parameters() if not value.requires_grad}
    assert torch.isfinite(state.loss_sum)


def test_there_is_one_for_each_target():
    assert {*FAST} == {f"cifar10/fast{target}" for target in (90, 94, 95, 96)} | {"cifar100/fast75", "mnist/fast99"}


@pytest.mark.parametrize(
    ("name", "peer", "share"),
    [
        ("fast90", "airbench94_muon", 0.226),
        ("fast94", "airbench94_muon", 0.837),
        ("fast95", "airbench95", 0.33),
        ("fast96", "airbench96", 0.47),
    ],
)
def test_cost_beside_the_published_recipe(name, peer, share):
    assert teraflops(f"cifar10/{name}") / teraflops(f"cifar10/{peer}") == pytest.approx(share, abs=0.006)


@pytest.mark.parametrize("name", [name for name in FAST if name.startswith("cifar")])
def test_training_ends_at_the_size_it_is_tested_at(name):
    recipe = load_recipe(name)
    assert recipe.train.resize[-1][1] == (recipe.model.input_size or 32)


def test_head_starts_and_learns_as_airbench94_muon_s():
    ours, theirs = load_recipe("fast90"), load_recipe("airbench94_muon")
    inputs = ours.model.widths[-1][1] / 256
    fast94 = load_recipe("fast94").optim
    assert fast94.groups[1].weight_decay * 2 == pytest.approx(theirs.optim.groups[1].weight_decay)
    assert fast94.groups[2].weight_decay * 2 == pytest.approx(theirs.optim.groups[2].weight_decay)
    rate, published = (recipe.optim.sgd_lr * recipe.optim.groups[2].lr_scale for recipe in (ours, theirs))
    assert rate * inputs == pytest.approx(published)
    assert ours.model.logit_scale * inputs**0.5 == pytest.approx(theirs.model.logit_scale)


@pytest.mark.parametrize("name", [name for name in list_recipes() if load_recipe(name).optim.name == "muon"])
def test_muon_leaves_the_last_layer_out_unless_told(name):
    experiment = load_recipe(name)
    with torch.device("meta"):
        net = experiment.model.build(num_classes=10, in_channels=3, image_size=(32, 32))
    kept = {
        id(part)
        for group in experiment.optim.build(model=net).param_groups
        if group["orthogonal"]
        for part in group["params"]
    }
    classes = [part for name, part in net.named_parameters() if part.ndim == 2 and len(part) == 10]
    assert len(classes) == 1
    assert (id(classes[0]) in kept) == (experiment.optim.exclude == "")


def test_fast_recipe_is_the_cheapest_that_goes_far_enough():
    assert fast_recipe("cifar10", 90.0) == "cifar10/fast90"
    assert fast_recipe("cifar10", 90.1) == "cifar10/fast94"
    with pytest.raises(UsageError, match=r"no fast recipe for cifar10 to 97%.*cifar10/fast96"):
        fast_recipe("cifar10", 97.0)
    with pytest.raises(UsageError, match="no fast recipe for svhn to 90%"):
        fast_recipe("svhn", 90.0)
