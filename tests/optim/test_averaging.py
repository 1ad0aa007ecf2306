import pytest
import torch
from torch import nn

from windtunnel.optim.averaging import Lookahead, LookaheadEma


def test_jumps_follow_the_formula() -> None:
    model = nn.Linear(1, 1, bias=False)
    slow = fast = model.weight.item()
    averaging = LookaheadEma(model, decay=0.9, every=2, power=1.0)
    for step in range(1, 9):
        with torch.no_grad():
            model.weight += 1.0
        fast += 1.0
        averaging.update(step, 8)
        if step % 2 == 0:
            share = 0.9**2 * step / 8
            slow = share * slow + (1 - share) * fast
            fast = slow
        assert model.weight.item() == pytest.approx(fast, abs=1e-6)


def test_last_step_ends_on_the_slow_weights() -> None:
    model = nn.Linear(1, 1, bias=False)
    start = model.weight.item()
    averaging = LookaheadEma(model, decay=1.0, every=5, power=0.0)
    for step in range(1, 4):
        with torch.no_grad():
            model.weight += 1.0
        averaging.update(step, 3)
    assert model.weight.item() == start


def test_statistics_of_batch_norm_are_averaged_and_counters_are_not() -> None:
    model = nn.BatchNorm1d(2)
    averaging = LookaheadEma(model, decay=1.0, every=1, power=0.0)
    model(torch.randn(8, 2) + 5)
    averaging.update(1, 10)
    assert torch.equal(model.running_mean, torch.zeros(2))
    assert model.num_batches_tracked == 1


def test_state_round_trips() -> None:
    model = nn.Linear(2, 2)
    averaging, other = (LookaheadEma(model, decay=0.5, every=1, power=0.0) for _ in range(2))
    with torch.no_grad():
        model.weight += 1.0
    averaging.update(1, 10)
    other.load_state_dict(averaging.state_dict())
    assert all(
        torch.equal(a, b) for a, b in zip(averaging.state_dict()["slow"], other.state_dict()["slow"], strict=True)
    )


def test_lookahead_moves_alpha_of_the_way_every_k_steps() -> None:
    model = nn.Linear(1, 1, bias=False)
    slow = model.weight.item()
    averaging = Lookahead(model, every=5, alpha=0.5)
    for step in range(1, 11):
        with torch.no_grad():
            model.weight += 1.0
        averaging.update(step, 10)
        if step % 5 == 0:
            slow += 0.5 * 5.0
            assert model.weight.item() == pytest.approx(slow)
