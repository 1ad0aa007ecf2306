import math

import numpy as np
import pytest
import torch

from windtunnel.recipes import load_experiment, load_recipe
from windtunnel.training.assemble import assemble, initialise_from_data
from windtunnel.training.state import TrainState
from windtunnel.training.step import train_step

SMALL = [
    "data.batch_size=16",
    "model.widths=[8,8,256]",
    "runtime.device=cpu",
    "runtime.threads=1",
    "runtime.tune_allocator=false",
]


@pytest.fixture
def colours(tmp_path, monkeypatch):
    """48 random colour images of CIFAR's size."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (48, 32, 32, 3), dtype=np.uint8), np.arange(48) % 10
    np.savez(tmp_path / "colours.npz", images=images, labels=labels)
    return f"data.source={{name: npz, path: {tmp_path / 'colours.npz'}}}"


def published_path(weight, images, labels, *, rate, decay, momentum, steps):
    """Train airbench94_muon's head as its script does: unit start, logits over inputs, SGD with decay / rate."""
    weight = (weight * math.sqrt(3 * weight.shape[1])).requires_grad_()
    optimizer = torch.optim.SGD([weight], lr=rate, momentum=momentum, nesterov=True, weight_decay=decay / rate)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(images @ weight.T / weight.shape[1], labels, reduction="sum")
        loss.backward()
        optimizer.step()
    return images @ weight.detach().T / weight.shape[1]


def test_converted_head_takes_the_published_path():
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.randn(64, 256, generator=generator), torch.randint(0, 10, (64,), generator=generator)
    head = torch.nn.Linear(256, 10, bias=False)
    expected = published_path(head.weight.detach(), images, labels, rate=0.67, decay=4e-3, momentum=0.85, steps=4)
    recipe = load_recipe("airbench94_muon")
    optim, group = recipe.optim, recipe.optim.groups[2]
    optimizer = torch.optim.SGD(
        head.parameters(),
        lr=optim.sgd_lr * group.lr_scale,
        momentum=optim.sgd_momentum,
        nesterov=True,
        weight_decay=group.weight_decay,
    )
    for _ in range(4):
        optimizer.zero_grad()
        logits = head(images) * recipe.model.logit_scale
        torch.nn.functional.cross_entropy(logits, labels, reduction="sum").backward()
        optimizer.step()
    torch.testing.assert_close(head(images) * recipe.model.logit_scale, expected, rtol=1e-4, atol=1e-5)


def test_published_numbers():
    recipe = load_recipe("airbench94_muon")
    stem, norms, _ = recipe.optim.groups
    assert recipe.optim.sgd_lr * norms.lr_scale * norms.weight_decay == pytest.approx(2e-6 * 2000)
    assert (recipe.optim.weight_decay, stem.train_epochs, stem.fades) == (0.0, 3.0, True)
    assert 50_000 // recipe.data.batch_size * recipe.train.epochs == 200


@pytest.mark.parametrize(("name", "size"), [("airbench94_muon", 32), ("airbench94_muon_resized", 24)])
def test_two_steps_on_tiny_images(name, size, colours):
    parts = assemble(load_experiment(name, [colours, *SMALL]))
    initialise_from_data(parts)
    state = TrainState.fresh(parts.device)
    before = {key: value.detach().clone() for key, value in parts.model.named_parameters()}
    for batch, _ in zip(parts.loader.epoch(0), range(2), strict=False):
        train_step(parts, state, batch)
    moved = {key for key, value in parts.model.named_parameters() if not torch.equal(before[key], value)}
    assert moved == {
        key for key in before if key != "whiten.weight" and not key.endswith(("norm1.weight", "norm2.weight"))
    }
    assert torch.isfinite(state.loss_sum)
    assert (parts.size_at(0) or 32) == size
