import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.optim.schedules import Constant, Cosine, PiecewiseLinear


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
    values = [
        Constant(warmup_epochs=9.0).multiplier(step, total_steps=10, steps_per_epoch=5) for step in range(10)
    ]
    assert values == pytest.approx([step / 10 for step in range(10)])


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 2)), min_size=1, max_size=6, unique_by=lambda point: point[0]),
    st.floats(0, 1),
)
def test_piecewise_linear_equals_numpy_interp(points: list[tuple[float, float]], progress: float) -> None:
    import numpy as np

    points = sorted(points)
    places, heights = zip(*points, strict=True)
    assert PiecewiseLinear(points=points).shape(progress) == pytest.approx(np.interp(progress, places, heights), abs=1e-9)


def test_airbench_triangle_has_its_published_corners() -> None:
    triangle = PiecewiseLinear(points=((0.0, 0.2), (0.23, 1.0), (1.0, 0.07)))
    at = [triangle.multiplier(step, total_steps=100, steps_per_epoch=48) for step in (0, 23, 99)]
    assert at == pytest.approx([0.2, 1.0, 0.07 + 0.93 / 77])
