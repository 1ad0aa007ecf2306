"""The loop against the same training written out by hand."""

import shutil
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from windtunnel.config.experiment import Experiment
from windtunnel.core.reports import EpochReport, StepDone
from windtunnel.training.assemble import Parts, assemble
from windtunnel.training.loop import train_epochs
from windtunnel.training.precision import Precision
from windtunnel.training.state import TrainState


def with_fields(experiment: Experiment, **fields: Any) -> Experiment:
    return Experiment.model_validate({**experiment.model_dump(), **fields})


def run(parts: Parts) -> list[EpochReport]:
    state = TrainState.fresh(parts.device)
    return [event for event in train_epochs(parts, state) if isinstance(event, EpochReport)]


def train_by_hand(parts: Parts, *, epochs: int, lr: float) -> list[float]:
    model = parts.model
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, nesterov=True, weight_decay=5e-4)
    losses, step = [], 0
    for epoch in range(epochs):
        total, count = 0.0, 0
        for batch in parts.loader.epoch(epoch):
            for group in optimizer.param_groups:
                group["lr"] = lr * 0.5 * (1 + torch.cos(torch.tensor(torch.pi * step / parts.total_steps))).item()
            loss = functional.cross_entropy(model(batch.images), batch.labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            total, count = total + loss.item() * len(batch.labels), count + len(batch.labels)
        losses.append(total / count)
    return losses


def test_loop_equals_the_training_written_by_hand(tiny: Experiment) -> None:
    experiment = with_fields(tiny, averaging=None)
    ours = [report.train_loss for report in run(assemble(experiment))]
    by_hand = train_by_hand(assemble(experiment), epochs=4, lr=0.05)
    assert ours == pytest.approx(by_hand, rel=1e-4)


def test_every_step_is_yielded_in_order(tiny: Experiment) -> None:
    parts = assemble(tiny)
    events = list(train_epochs(parts, TrainState.fresh(parts.device)))
    assert [event.step for event in events if isinstance(event, StepDone)] == list(range(1, 33))
    assert [event.epoch for event in events if isinstance(event, EpochReport)] == [1, 2, 3, 4]


@pytest.mark.parametrize(("every", "epochs"), [(1.0, [1, 2, 3, 4]), (2.0, [2, 4]), (3.0, [3, 4]), (0.0, [])])
def test_validation_comes_every_so_many_epochs_and_at_the_end(
    tiny: Experiment, every: float, epochs: list[int]
) -> None:
    parts = assemble(with_fields(tiny, train={**tiny.train.model_dump(), "validate_every": every}))
    assert [report.epoch for report in run(parts) if report.val_accuracy is not None] == epochs


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("weights_too", [False, True])
def test_low_precision_trains(tiny: Experiment, precision: str, weights_too: bool) -> None:
    runtime = {**tiny.runtime.model_dump(), "precision": precision, "low_precision_weights": weights_too}
    reports = run(assemble(with_fields(tiny, runtime=runtime)))
    assert reports[-1].train_loss < reports[0].train_loss


def test_norm_layers_stay_float32_under_low_precision_weights() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    Precision(torch.device("cpu"), torch.bfloat16, weights_too=True).convert(model)
    assert (model[0].weight.dtype, model[1].weight.dtype) == (torch.bfloat16, torch.float32)


@pytest.mark.parametrize("norm", [nn.LayerNorm(4), nn.GroupNorm(2, 4)], ids=["layer", "group"])
def test_norm_layers_compute_in_float32_under_low_precision_weights(norm: nn.Module) -> None:
    model = Precision(torch.device("cpu"), torch.bfloat16, weights_too=True).convert(nn.Sequential(norm))
    seen: list[torch.dtype] = []
    compute = norm.forward
    norm.forward = lambda values: (seen.append(values.dtype), compute(values))[1]
    answer = model(torch.randn(3, 4).bfloat16())
    assert (seen, answer.dtype, norm.weight.dtype) == ([torch.float32], torch.bfloat16, torch.float32)


def test_clipping_bounds_the_update(tiny: Experiment) -> None:
    fields = {**tiny.train.model_dump(), "clip_norm": 1e-6}
    optim = {"name": "sgd", "lr": 1.0, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
    parts = assemble(with_fields(tiny, train=fields, optim=optim, averaging=None, schedule="constant"))
    before = [parameter.detach().clone() for parameter in parts.model.parameters()]
    run(parts)
    moved = (
        sum(float((a - b.detach()).square().sum()) for a, b in zip(before, parts.model.parameters(), strict=True))
        ** 0.5
    )
    assert 0 < moved <= parts.total_steps * 1e-6 * 1.01


def test_group_trains_for_its_epochs_only(tiny: Experiment) -> None:
    optim = {"name": "sgd", "lr": 0.05, "groups": [{"match": "*.bias", "train_epochs": 1.0}]}
    parts = assemble(with_fields(tiny, optim=optim, averaging=None))
    biases = [parameter for name, parameter in parts.model.named_parameters() if name.endswith(".bias")]
    seen = [
        torch.cat([bias.detach().flatten() for bias in biases])
        for event in train_epochs(parts, TrainState.fresh(parts.device))
        if isinstance(event, EpochReport)
    ]
    assert torch.equal(seen[0], seen[-1])
    assert all(not bias.requires_grad for bias in biases)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile on CPU needs g++")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, from inside its compiler
def test_compiled_forward_gives_the_same_losses(tiny: Experiment) -> None:
    from torch._inductor import config as inductor

    shallow = {"name": "cnn", "widths": [8], "hidden": 8}  # compiling takes seconds a layer
    short = with_fields(tiny, model=shallow, train={**tiny.train.model_dump(), "epochs": 1.0}, averaging=None)
    compiled = with_fields(short, runtime={**tiny.runtime.model_dump(), "compile": "default"})
    # plain code, compiled here: trying out which vectors the processor has takes longer than all the rest
    with inductor.patch({"compile_threads": 1, "cpp.vec_isa_ok": False}):
        losses = run(assemble(compiled))[0].train_loss
    assert losses == pytest.approx(run(assemble(short))[0].train_loss, rel=1e-3)
