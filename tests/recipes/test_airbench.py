"""airbench94's training beside a second writing of its public description (Jordan 2024)."""

import copy

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from windtunnel.recipes import load_experiment
from windtunnel.training.assemble import assemble, initialise_from_data
from windtunnel.training.state import TrainState
from windtunnel.training.step import train_step

_STEPS = 100  # of which the peak of the rate, at 23%, is a whole number
_SMALL = [
    "model.widths=[8,8,16]",
    "data.batch_size=16",
    "train.epochs=33.33",  # three steps each
    "runtime.device=cpu",
    "runtime.threads=1",
    "runtime.tune_allocator=false",
]
_KILOSTEP = 1024 * (1 + 1 / (1 - 0.85))
_RATE, _DECAY = 11.5 / _KILOSTEP, 0.0153 * 1024 / _KILOSTEP
_RATES = np.interp(np.arange(_STEPS), [0, 23, _STEPS], [0.2, 1.0, 0.07])
_PULLS = 0.95**5 * (np.arange(_STEPS + 1) / _STEPS) ** 3


def _published_optimizer(net):
    trained = {name: parameter for name, parameter in net.named_parameters() if parameter.requires_grad}
    norms = [parameter for name, parameter in trained.items() if "norm" in name]
    others = [parameter for name, parameter in trained.items() if "norm" not in name]
    groups = [
        {"params": norms, "lr": 64 * _RATE, "weight_decay": _DECAY / (64 * _RATE)},
        {"params": others, "lr": _RATE, "weight_decay": _DECAY / _RATE},
    ]
    return torch.optim.SGD(groups, momentum=0.85, nesterov=True)


def _train_as_published(net, batches):
    """Train ``net`` on batches three to an epoch; the slow weights are kept and jumped to as in its script."""
    optimizer = _published_optimizer(net)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _RATES[min(step, _STEPS - 1)])
    slow = {key: value.clone() for key, value in net.state_dict().items() if value.is_floating_point()}

    def jump(pull):
        for key, value in slow.items():
            value.lerp_(net.state_dict()[key], 1 - pull)
            net.state_dict()[key].copy_(value)

    for step, (images, labels) in enumerate(batches):
        net.whiten.bias.requires_grad_(step // 3 < 3)
        optimizer.zero_grad(set_to_none=True)
        cross_entropy(net(images), labels, label_smoothing=0.2, reduction="none").sum().backward()
        optimizer.step()
        scheduler.step()
        if (step + 1) % 5 == 0:
            jump(float(_PULLS[step + 1]))
    jump(1.0)


def test_airbench94_takes_the_published_path_to_its_last_step(images):
    parts = assemble(load_experiment("airbench94", [images(3, 16), *_SMALL]))
    initialise_from_data(parts)
    parts.model.train()
    published, state = copy.deepcopy(parts.model), TrainState.fresh(parts.device)
    assert (parts.total_steps, parts.steps_per_epoch) == (_STEPS, 3)
    batches = [batch for epoch in range(34) for batch in parts.loader.epoch(epoch)][:_STEPS]
    for batch in batches:
        train_step(parts, state, batch)
    _train_as_published(published, [(batch.images, batch.labels) for batch in batches])
    expected = published.state_dict()
    for key, value in parts.model.state_dict().items():
        torch.testing.assert_close(
            value, expected[key], rtol=5e-3, atol=5e-4, msg=lambda text, key=key: f"{key}: {text}"
        )
