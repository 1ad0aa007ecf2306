import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.config.schedule import Cosine as CosineConfig
from windtunnel.optim.plateau import Plateau
from windtunnel.optim.schedules import (
    Constant,
    Cosine,
    Linear,
    MultiStep,
    OneCycle,
    PiecewiseLinear,
    Place,
    Schedule,
    Step,
)


@given(total=st.integers(1, 300), final=st.floats(0, 1))
def test_cosine_equals_torch(total: int, final: float) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=total, eta_min=final)
    ours = Cosine(final=final)
    for step in range(min(total, 40)):
        mine = ours.multiplier(step, total_steps=total, steps_per_epoch=10)
        assert mine == pytest.approx(scheduler.get_last_lr()[0], abs=1e-6)
        optimizer.step()
        scheduler.step()


def test_warmup_rises_linearly_then_the_schedule_starts() -> None:
    schedule = Cosine(warmup_epochs=2.0, warmup_from=0.0)
    values = [schedule.multiplier(step, total_steps=100, steps_per_epoch=5) for step in range(100)]
    assert values[:11] == pytest.approx([step / 10 for step in range(11)])
    assert values[10:] == pytest.approx([Cosine().multiplier(s, total_steps=90, steps_per_epoch=5) for s in range(90)])


def test_warmup_longer_than_training_only_rises() -> None:
    values = [Constant(warmup_epochs=9.0).multiplier(step, total_steps=10, steps_per_epoch=5) for step in range(10)]
    assert values == pytest.approx([step / 10 for step in range(10)])


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 2)), min_size=1, max_size=6, unique_by=lambda point: point[0]),
    st.floats(0, 1),
)
def test_piecewise_linear_equals_numpy_interp(points: list[tuple[float, float]], progress: float) -> None:
    import numpy as np

    points = sorted(points)
    places, heights = zip(*points, strict=True)
    assert PiecewiseLinear(points=points).value(Place(progress, 0.0)) == pytest.approx(
        np.interp(progress, places, heights), abs=1e-9
    )


def test_airbench_triangle_has_its_published_corners() -> None:
    triangle = PiecewiseLinear(points=((0.0, 0.2), (0.23, 1.0), (1.0, 0.07)))
    at = [triangle.multiplier(step, total_steps=100, steps_per_epoch=48) for step in (0, 23, 99)]
    assert at == pytest.approx([0.2, 1.0, 0.07 + 0.93 / 77])


def torch_rates(scheduler: torch.optim.lr_scheduler.LRScheduler, steps: int) -> list[float]:
    rates = []
    for _ in range(steps):
        rates.append(scheduler.get_last_lr()[0])
        scheduler.optimizer.step()
        scheduler.step()
    return rates


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


@pytest.mark.parametrize(
    ("ours", "build"),
    [
        (Step(step_epochs=3, gamma=0.5), lambda o: torch.optim.lr_scheduler.StepLR(o, 3, 0.5)),
        (MultiStep(milestones=[2, 5], gamma=0.1), lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [2, 5], 0.1)),
        (Linear(final=0.2), lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.2, 12)),
        (
            Cosine(t_max=3, restart_factor=2),
            lambda o: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2),
        ),
    ],
)
def test_schedule_by_epoch_equals_torch(ours: Schedule, build) -> None:
    mine = [ours.multiplier(epoch, total_steps=12, steps_per_epoch=1) for epoch in range(12)]
    assert mine == pytest.approx(torch_rates(build(optimizer()), 12), abs=1e-9)


def test_cosines_that_would_shrink_to_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="restart_factor"):
        CosineConfig(t_max=1.0, restart_factor=0.5)


def test_one_cycle_equals_torch_but_for_one_step() -> None:
    """torch reaches peak and end a step earlier; here, as with every schedule, the end is where training ends."""
    ours = OneCycle(rise=0.3)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer(), max_lr=1.0, total_steps=101, cycle_momentum=False)
    mine = [ours.multiplier(step, total_steps=100, steps_per_epoch=10) for step in range(100)]
    assert mine == pytest.approx(torch_rates(scheduler, 100), abs=0.03)
    assert (mine[0], mine[30]) == pytest.approx((1 / 25, 1.0))


def test_rate_by_epoch_changes_only_between_epochs() -> None:
    values = [Cosine(interval="epoch").multiplier(step, total_steps=20, steps_per_epoch=5) for step in range(20)]
    assert len(set(values)) == 4


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=60), st.integers(1, 4), st.floats(0, 0.2))
def test_plateau_equals_torch(losses: list[float], patience: int, threshold: float) -> None:
    ours = Plateau(factor=0.5, patience=patience, threshold=threshold)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer(), factor=0.5, patience=patience, threshold=threshold, eps=0.0
    )
    for loss in losses:
        ours.observe(loss)
        theirs.step(loss)
        mine = ours.multiplier(10, total_steps=100, steps_per_epoch=10)
        assert mine == pytest.approx(theirs.optimizer.param_groups[0]["lr"])


def test_plateau_keeps_its_floor_warms_up_and_ends() -> None:
    plateau = Plateau(factor=0.1, patience=1, threshold=0.0, minimum=0.05, stop_below_lr=0.02, warmup_epochs=1.0)
    assert plateau.multiplier(5, total_steps=100, steps_per_epoch=10) == pytest.approx(0.5)
    for _ in range(9):
        plateau.observe(1.0)
    assert plateau.multiplier(50, total_steps=100, steps_per_epoch=10) == 0.05
    assert plateau.is_over(0.3)
    assert not plateau.is_over(0.5)


def test_plateau_state_round_trips() -> None:
    plateau, other = (Plateau(factor=0.5, patience=1, threshold=0.0) for _ in range(2))
    for _ in range(3):
        plateau.observe(1.0)
    other.load_state_dict(plateau.state_dict())
    assert other.state_dict() == plateau.state_dict()
